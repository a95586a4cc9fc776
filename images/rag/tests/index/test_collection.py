"""What is asked of Qdrant about collections and their alias."""

from coderag_rag.store.collection import make_live


async def test_the_alias_moves_by_one_action_so_that_no_crash_leaves_it_away():
    asked = []

    async def call(method, **arguments):
        asked.append((method, arguments))

    await make_live(call, "code-0123456789ab")
    ((method, arguments),) = asked
    assert method == "update_collection_aliases"
    (action,) = arguments["change_aliases_operations"]
    assert (action.create_alias.alias_name, action.create_alias.collection_name) == ("code-live", "code-0123456789ab")
