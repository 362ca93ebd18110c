"""Tasks and their methods: read from examples, identified by their code, checked to agree."""
