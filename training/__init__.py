"""Making the models: corpus, training, evaluation, reports."""
