"""Every sentence that a report has, composed once from codes and numbers; formats choose length and markup."""
