"""The proof of what Matchkeeper promises: judge, simulation, chaos, mutants, model, fuzzing."""
