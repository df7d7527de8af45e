"""Follow-up: two or more examinations of one person, vertebra by vertebra and lesion by lesion."""
