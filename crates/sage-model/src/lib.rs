//! Chat models behind one trait: providers, models.yaml, router, retry, budgets.
