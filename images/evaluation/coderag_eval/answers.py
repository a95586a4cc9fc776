"""Answers beside those that people wrote: BLEU and ROUGE-L. Word overlap only: a judge says whether they are right."""

import re
from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer
from sacrebleu.metrics import BLEU

BLEU_, ROUGE_L = "bleu", "rouge-l"
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_WORD = re.compile(r"[\uac00-\ud7a3]|[^\W\uac00-\ud7a3]+")


class _Words(Tokenizer):  # type: ignore[misc]
    """Words, and syllables of Hangul: the library's own tokenizer drops everything that is not ASCII."""

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text."""
        return _WORD.findall(text.lower())


_rouge = RougeScorer(["rougeL"], tokenizer=_Words())


def overlap(answer: str, reference: str) -> dict[str, float]:
    """Return BLEU and ROUGE-L (F) of one answer, both 0 to 1. BLEU of Korean counts characters."""
    bleu = BLEU(effective_order=True, tokenize=_tokenizer([reference]))
    return {
        BLEU_: bleu.sentence_score(answer, [reference]).score / 100,
        ROUGE_L: float(_rouge.score(reference, answer)["rougeL"].fmeasure),
    }


def corpus_bleu(answers: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Return BLEU of all answers together (0 to 1), and the signature that others need to compare with it."""
    bleu = BLEU(tokenize=_tokenizer(references))
    score = bleu.corpus_score(list(answers), [list(references)]).score / 100
    return score, str(bleu.get_signature())


def _tokenizer(references: Sequence[str]) -> str:
    korean = sum(bool(_HANGUL.search(text)) for text in references)
    return "char" if korean * 2 > len(references) else "13a"
