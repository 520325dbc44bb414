"""What operators do and are told: the operator, the doctor."""
