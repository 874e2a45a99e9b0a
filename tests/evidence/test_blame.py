from evidence.blame import Added, culprits

WEB, PAY, BANK, STOCK = range(4)


def way(caller: int, callee: int, each: float, often: float = 1.0) -> Added:
    return Added(caller, callee, each, often, key=caller * 10 + callee)


def blamed(*accounts: Added) -> list[int]:
    return [one.service for one in culprits(accounts)]


def test_time_of_its_own_is_a_services_own():
    assert blamed(Added(BANK, BANK, 50, 1, 0), way(PAY, BANK, 0)) == [BANK]


def test_a_single_slow_way_blames_the_callee():
    assert blamed(way(WEB, PAY, 0), way(PAY, BANK, 100)) == [BANK]


def test_slow_ways_to_several_callees_and_from_callers_blame_the_one_in_the_middle():
    assert blamed(way(WEB, PAY, 80), way(PAY, BANK, 100), way(PAY, STOCK, 90))[0] == PAY


def test_a_service_that_is_slow_to_reach_is_blamed_though_its_own_calls_are_quick():
    assert blamed(way(WEB, PAY, 500), way(PAY, BANK, 0), way(PAY, STOCK, 0), way(PAY, WEB, 0)) == [PAY]


def test_a_caller_of_one_slow_and_one_quick_service_is_not_blamed():
    assert blamed(way(WEB, PAY, 300), way(WEB, STOCK, 0)) == [PAY]


def test_a_service_of_which_only_one_operation_is_slow_is_still_blamed():
    fast, slow = Added(WEB, PAY, 0, 1, 1), Added(WEB, PAY, 300, 1, 2)
    assert blamed(fast, slow) == [PAY]


def test_a_service_that_waits_for_several_in_turn_is_blamed_when_only_its_calls_are_slow():
    assert blamed(way(WEB, PAY, 0), way(PAY, BANK, 100), way(PAY, STOCK, 100)) == [PAY]


def test_two_culprits_are_both_named_the_larger_first():
    assert blamed(Added(BANK, BANK, 50, 1, 0), Added(STOCK, STOCK, 80, 1, 1)) == [STOCK, BANK]


def test_nothing_added_is_nobodys_fault():
    assert blamed(way(WEB, PAY, 0), way(PAY, BANK, -3)) == []
