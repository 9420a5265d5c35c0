"""The audit log: one durable, chained row for every judgement, and how anyone can check it."""
