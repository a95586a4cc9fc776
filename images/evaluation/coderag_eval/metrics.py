"""How good a ranking is, per question: nDCG@10, R@5 and MRR, computed by ir_measures (trec_eval underneath)."""

from collections.abc import Collection, Mapping, Sequence

import ir_measures

NDCG, RECALL, MRR = "ndcg@10", "r@5", "mrr"
MEASURES = (NDCG, RECALL, MRR)
DEPTH = 10  # how many results are judged
_NAMES = {str(ir_measures.nDCG @ 10): NDCG, str(ir_measures.R @ 5): RECALL, str(ir_measures.RR @ DEPTH): MRR}

Values = dict[str, float]


def per_question(expected: Mapping[str, Collection[str]], found: Mapping[str, Sequence[str]]) -> dict[str, Values]:
    """Return every measure for every question that expects something; what was not found at all counts 0.

    `found` holds distinct documents, best first.
    """
    values = {question: dict.fromkeys(MEASURES, 0.0) for question, right in expected.items() if right}
    qrels = [ir_measures.Qrel(question, document, 1) for question in values for document in expected[question]]
    run = [
        ir_measures.ScoredDoc(question, document, float(-rank))
        for question in values
        for rank, document in enumerate(found.get(question, ())[:DEPTH])
    ]
    for metric in ir_measures.iter_calc([*map(ir_measures.parse_measure, _NAMES)], qrels, run) if run else ():
        values[metric.query_id][_NAMES[str(metric.measure)]] = float(metric.value)
    return values
