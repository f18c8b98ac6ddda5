"""PLACEHOLDER by the lead: H2 replaces this file."""


def conditional_scores(scores, conditions, is_member, folds, seed=0):
    return scores
