//! Runs conversations: session, turn loop, text protocol, rules, context budget.
