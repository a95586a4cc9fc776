"""Questions that the index cannot answer: refused before a model could make something up. And no others."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from coderag_rag.answer.relevance import is_answerable
from coderag_rag.query.hits import Hit
from coderag_rag.store.schema import text_sha256

SHOP = {
    "shop/cart.py": (
        'class Cart:\n    """What a customer is about to buy."""\n\n    def add(self, item, quantity):\n'
        "        self.lines[item] = self.lines.get(item, 0) + quantity\n\n    def total(self):\n"
        "        return sum(item.price * count for item, count in self.lines.items())\n",
        ("Cart", "Cart.add", "Cart.total"),
    ),
    "shop/orders.py": (
        'def place_order(cart, customer, clock):\n    """Turn a cart into an order and reserve its stock."""\n'
        "    order = Order(customer.id, cart.total(), clock.now())\n    reserve(order, cart.lines)\n    return order\n",
        ("place_order",),
    ),
    "shop/stock.py": (
        "def reserve(order, lines):\n    for item, count in lines.items():\n"
        "        if warehouse.available(item) < count:\n"
        "            raise OutOfStock(item)\n        warehouse.take(item, count, order)\n",
        ("reserve",),
    ),
    "shop/refund.py": (
        'def refund(payment, amount):\n    """Give money back; never more than was paid."""\n'
        "    if amount > payment.amount:\n        raise ValueError('more than was paid')\n"
        "    gateway.reverse(payment, amount)\n",
        ("refund",),
    ),
    "shop/retry.py": (
        "def with_backoff(call, tries=3, wait=1.0):\n    for attempt in range(tries):\n"
        "        try:\n            return call()\n"
        "        except ConnectionError:\n            sleep(wait * 2 ** attempt)\n    raise Unavailable()\n",
        ("with_backoff",),
    ),
    "shop/users.py": (
        "def check_password(user, password):\n    digest = scrypt(password.encode(), salt=user.salt)\n"
        "    return compare_digest(digest, user.digest)\n",
        ("check_password",),
    ),
    "shop/mail.py": (
        "def send_receipt(order, mailer):\n    body = render('receipt.txt', order=order)\n"
        "    mailer.send(order.customer.email, 'Your receipt', body)\n",
        ("send_receipt",),
    ),
    "docs/deploy.md": ("# Deploying\nThe shop runs as a container. Migrations run before the first request.\n", ()),
}
ANSWERABLE = [
    "How is the total price of a cart computed?",
    "What happens when an item is out of stock?",
    "Where is stock reserved?",
    "Can a customer get more money back than was paid?",
    "How long do we wait before we try a call again?",
    "How are passwords compared?",
    "Where is the receipt mail sent?",
    "When do migrations run?",
    "Cart.total",
    "shop/retry.py",
    "with_backoff",
    "What does this project do?",
    "Write a test for refund",
    "add a discount to Cart.total",
    "OutOfStock",
    "How do I deploy the shop as a container?",
    "장바구니의 총액은 어떻게 계산되나요?",
    "Cart.total 은 무엇을 더하나요?",
    "refund 함수를 설명해 주세요",
]
UNANSWERABLE = Path(__file__).with_name("unanswerable.txt").read_text().splitlines()


@pytest.fixture
async def shop(index, make_file, look):
    """A served shop."""
    files = [
        make_file(path, text, symbols, "markdown" if path.endswith(".md") else "python")
        for path, (text, symbols) in SHOP.items()
    ]
    await index.serve("shop", *files)
    await look()


async def ask(service, question):
    return await service.http.post("/v1/ask", json={"question": question})


def test_there_are_enough_questions():
    assert len(set(UNANSWERABLE)) >= 60


@pytest.mark.slow
async def test_what_the_index_cannot_answer_is_refused_and_no_model_is_asked(service, shop, gateway):
    answers = [await ask(service, question) for question in UNANSWERABLE]
    passed = [question for question, one in zip(UNANSWERABLE, answers, strict=True) if one.status_code != 409]
    assert passed == []
    assert {one.json()["error"]["code"] for one in answers} == {"nothing_relevant"}
    assert gateway.requests == []


@pytest.mark.slow
async def test_what_the_index_can_answer_is_not_refused(service, shop, gateway):
    answers = [await ask(service, question) for question in ANSWERABLE]
    refused = [question for question, one in zip(ANSWERABLE, answers, strict=True) if one.status_code != 200]
    assert refused == []
    assert len(gateway.requests) == len(ANSWERABLE)


async def test_both_hold_while_the_meaning_leg_is_down(service, shop, gateway, embedding):
    embedding.down = True
    codes = await asyncio.gather(ask(service, "Who won the world cup?"), ask(service, "Where is stock reserved?"))
    assert [one.status_code for one in codes] == [409, 200]
    assert codes[1].json()["degraded"] == ["dense"]


def hit(text, path="a.py", symbols=()):
    return Hit(
        "app", "main", "c0ffee", path, 1, 2, 1.0, "python", list(symbols), text, "b", text_sha256(text)
    )  # fmt: skip


def test_nothing_found_answers_nothing():
    assert not is_answerable("What does this do?", [])


def test_korean_words_are_compared_where_what_was_found_is_korean():
    korean = [hit("# 주문을 접수하고 재고를 예약한다\n"), hit("# 환불 금액을 확인한다\n")]
    assert is_answerable("재고는 어디에서 예약되나요?", korean)
    assert not is_answerable("날씨가 흐려요?", korean)
    assert is_answerable("날씨가 흐려요?", [hit("x = 1\n"), hit("y = 2\n"), korean[0]])


def test_the_name_of_what_goes_on_in_a_hit_counts_as_told():
    part = replace(hit("    total += tax\n"), within="Invoice.settle")
    assert is_answerable("how does an invoice settle", [part])
    assert not is_answerable("how does an invoice settle", [hit("    total += tax\n")])


def test_one_word_alone_is_met_by_chance():
    met = [hit("the world\n"), hit("a cup\n"), hit("won\n")]
    assert not is_answerable("football world cup final goal", met)
    assert is_answerable("world cup goal", [hit("world cup\n")])
    assert is_answerable("what is a cup?", met)
