"""What is compared with what: members, suspects or canaries against non-members."""
