"""Settlement for finance: what a closed window says, whom the operator must pay, and statements."""
