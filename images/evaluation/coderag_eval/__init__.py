"""Quality of retrieval and answers, measured: questions, metrics with intervals, reports and a gate."""
