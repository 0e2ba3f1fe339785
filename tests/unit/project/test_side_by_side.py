"""What the benchmarks measure with: a delayed line, a launcher, medians."""

from __future__ import annotations

import socket
import sys
import threading
import time

import pytest
from side_by_side.clients.client import Command
from side_by_side.delayed_line import delayed_line
from side_by_side.material import Material, files_in
from side_by_side.measuring import ClientError, Measure, measure
from side_by_side.results import Results, Row
from side_by_side.table import markdown
from side_by_side.workloads import QUICK, Files, Start, Step, curves_of, table_of

DELAY = 0.02


@pytest.fixture
def echo():
    """The address of a server that sends back what it gets, connection by connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while piece := connection.recv(65536):
                    connection.sendall(piece)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def connect(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def round_trip(connection, data=b"x"):
    begin = time.monotonic()
    connection.sendall(data)
    received = b""
    while len(received) < len(data):
        received += connection.recv(65536)
    assert received == data
    return time.monotonic() - begin


def test_delayed_line_delays_both_directions_and_the_handshake(echo):
    with delayed_line(echo, DELAY) as address:
        begin = time.monotonic()
        with connect(address) as connection:
            round_trip(connection)
            assert time.monotonic() - begin >= 4 * DELAY
            assert round_trip(connection) >= 2 * DELAY


def test_delayed_line_keeps_the_order_of_bytes(echo):
    with delayed_line(echo, 0.1) as address, connect(address) as connection:
        round_trip(connection)
        # 64 pieces, which would take 6.4 s if each waited for the one before.
        assert round_trip(connection, bytes(64 * 65536)) < 3


def test_delayed_line_forwards_a_half_close(echo):
    with delayed_line(echo, DELAY) as address, connect(address) as connection:
        connection.sendall(b"last")
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(100):
            received += piece
        assert received == b"last"


def test_zero_delay_uses_no_proxy(echo):
    with delayed_line(echo, 0.0) as address:
        assert address == echo


def python(program, *arguments):
    return Command((sys.executable, "-I", "-S", "-c", program, *arguments))


def test_process_is_measured_with_its_children(tmp_path):
    inner = "b = bytes(60 << 20).upper()"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    measured = measure(python(program), tmp_path)
    assert 60 << 20 < measured.peak < 200 << 20
    assert measured.wall > 0
    assert measured.cpu > 0
    assert measured.inside is None


def test_memory_of_the_measuring_process_is_not_counted(tmp_path):
    held = b"x" * (100 << 20)
    assert measure(python("pass"), tmp_path).peak < len(held) // 2


def test_client_reports_its_own_time(tmp_path):
    program = (
        "import os; open(os.environ['REPORT'], 'w').write('{\"seconds\": 1.5, \"listed\": 3}')"
    )
    measured = measure(python(program), tmp_path)
    assert (measured.inside, measured.listed) == (1.5, 3)


def test_failure_has_the_output_of_the_program(tmp_path):
    with pytest.raises(ClientError, match="ended with 3: no such thing"):
        measure(python("import sys; print('no such thing'); sys.exit(3)"), tmp_path)


def test_missing_program_is_a_failure(tmp_path):
    with pytest.raises(ClientError, match="could not be started"):
        measure(Command((str(tmp_path / "absent"),)), tmp_path)


def test_material_is_the_same_in_every_run(tmp_path):
    first, second = Material(tmp_path / "1"), Material(tmp_path / "2")
    assert sorted(first.files(3, 100).digests().values()) == sorted(
        second.files(3, 100).digests().values()
    )
    texts = first.folder(60), second.folder(60)
    assert len(files_in(texts[0].paths[0])) == 60
    assert len({tuple(content.digests().values()) for content in texts}) == 1


def test_files_have_the_size_that_is_asked_for(tmp_path):
    content = Material(tmp_path).files(2, 3 * 1024 * 1024 + 1)
    assert [path.stat().st_size for path in content.paths] == [3 * 1024 * 1024 + 1] * 2


ROW = Row(Step.PULL_AGAIN, Files(500, 16 * 1024, 0.02))


def results(**walls):
    filled = Results()
    for client, numbers in walls.items():
        for number in numbers:
            filled.add(ROW, client.replace("_", "-"), Measure(number, 0.5, 20 << 20, requests=7))
    return filled


def test_median_minimum_and_maximum():
    summary = results(curl=[3.0, 1.0, 1.5]).summary(ROW, "curl")
    assert (summary.wall, summary.least, summary.most) == (1.5, 1.0, 3.0)
    assert (summary.inside, summary.requests) == (None, 7)
    assert results().summary(ROW, "curl") is None


def test_the_table_compares_with_the_reference():
    shown = markdown(results(curl=[2.0], oras_sdk=[3.0]), [ROW], ["curl", "oras-sdk", "skopeo"])
    title = "pull 500 files of 16 KiB over a line of 20 ms again"
    assert f"| {title} | 2.00 s, curl | 1.50 | - |" in shown
    assert f"| {title} | curl | 2.00 (2.00 - 2.00) | 1.00 | - | 0.500 | 20 | 7 |" in shown
    assert "|  | oras-sdk | 3.00 (3.00 - 3.00) | 1.50 | - | 0.500 | 20 | 7 |" in shown


def test_without_the_reference_there_is_no_ratio():
    shown = markdown(results(oras_sdk=[3.0]), [ROW], ["oras-sdk"])
    assert " again | - | - |" in shown
    assert "| oras-sdk | 3.00 (3.00 - 3.00) | - |" in shown


def test_every_curve_ends_in_the_table():
    table = table_of(QUICK)
    assert isinstance(table["start"], Start)
    for name, curve in curves_of(QUICK).items():
        assert curve.points[-1][1] == table[name]
        places = [place for place, _ in curve.points]
        assert places == sorted(set(places))
