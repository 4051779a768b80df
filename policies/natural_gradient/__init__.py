"""Fisher-vector products, conjugate gradients and their preconditioner."""
