import socket

from inflect.embedded.ports import choose_port, is_free, is_listening


def test_the_first_free_port_that_is_wanted_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not is_free(taken)
        assert is_listening(taken)
        free = choose_port()
        assert choose_port(taken, None, free) == free


def test_a_port_to_avoid_is_never_chosen() -> None:
    free = choose_port()
    assert choose_port(free, avoid=(free,)) != free


def test_a_chosen_port_is_one_that_no_client_is_given_by_the_kernel() -> None:
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:  # noqa: PTH123  one line of the kernel's
        lowest = int(file.read().split()[0])
    assert choose_port() < lowest
