"""Which marker a test gets: assigned by what it uses, in this one place.

`pytest -m unit` runs what needs neither a browser nor a sound server and takes little time. A test
that gets none of the other markers is a unit test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

BROWSERS = ("needs_chromium", "needs_firefox")
"""Names in a module whose tests run a browser."""

SOUND_SERVER_FIXTURES = {"fake_microphones", "microphones", "stereo_microphones"}
SOUND_SERVER = (
    "tests/bench/test_microphone.py",
    "tests/conformance/test_whole_way.py",
    "tests/daemon/test_microphone.py",
)
"""Where tests start a sound server themselves."""

SLOW = (
    # Whole programs: daemons in real time, child processes, benches, installed packages.
    "tests/bench/",
    "tests/cli/test_command.py::test_quick_commands",
    "tests/cli/test_assets.py",
    "tests/conformance/",
    "tests/control/test_flood.py",
    "tests/control/test_hotkeys.py::test_keys_of_a_desktop",
    "tests/daemon/",
    "tests/diagnostics/test_doctor.py",
    "tests/diagnostics/test_listen.py",
    "tests/examples/",
    "tests/monitor/test_logs.py::test_the_config_names_the_log_file",
    "tests/preview/test_server.py::test_the_command",
    "tests/takes/recording/test_recorder.py::test_a_suspended_program",
    "tests/takes/recording/test_recorder.py::test_of_a_hundred_killed_takes",
    "tests/takes/render/test_cluster.py",
    "tests/takes/render/test_pipeline.py",
    "tests/takes/render/test_remote.py::test_a_store",
    "tests/system/test_services.py::test_a_config_with_mistakes",
    "tests/test_architecture.py",
    "tests/test_documentation.py::test_quoted_messages",
    "tests/test_package.py",
    "tests/test_structure.py::test_one_module_starts_threads",
    # Connections that are held open until they time out.
    "tests/outputs/metahuman/test_server.py::test_a_byte_now_and_then",
    "tests/outputs/metahuman/test_server.py::test_a_client_that_reads_no_replies",
    "tests/outputs/metahuman/test_server.py::test_hostile_bytes",
    "tests/outputs/test_udp.py::test_another_machine_is_known",
    "tests/preview/test_connections.py::test_clients_that_send_or_read_nothing",
    # Networks that learn or work through long recordings.
    "tests/models/cstalk/test_correlation.py::test_it_learns",
    "tests/models/cstalk/test_onnx_engine.py",
    "tests/models/cstalk/test_streaming.py",
    "tests/models/cstalk/test_torch_engine.py::test_evaluation",
    "tests/models/encoder/test_network.py",
    "tests/models/evaluation/",
    "tests/models/test_bad_sound.py",
    "tests/models/test_loading.py::test_a_bridge_that_runs",
    "tests/models/test_loading.py::test_a_doctor",
    "tests/models/test_loading.py::test_a_notebook",
    "tests/models/test_loading.py::test_without_onnx_runtime",
    "tests/models/training/",
    # Minutes of animation or sound, many files, pictures or examples.
    "tests/audio/test_decoder.py::test_every_container",
    "tests/cli/test_recordings.py",
    "tests/control/test_controller.py::test_a_take_that_ends_by_itself",
    "tests/evaluation/",
    "tests/face/procedural/test_animation.py",
    "tests/plot/test_figure.py",
    "tests/plot/test_summary.py::test_each_fault",
    "tests/preview/test_session.py::test_two_hours",
    "tests/rig/test_arkit.py::test_every_shape",
    "tests/rig/test_rigmap.py::test_shipped_maps_compute",
    "tests/takes/export/test_tables.py::test_frames_are_recovered",
    "tests/takes/export/test_tables.py::test_timecodes_give_real_time",
    "tests/takes/export/test_unreal_import.py",
    "tests/takes/recording/test_files.py::test_sound_stays",
    "tests/tools/test_sculpt.py::test_the_program_makes",
)
"""Beginnings of the names of tests that are whole programs or take half a second or more."""


def is_slow_throughout(path: str) -> bool:
    """Whether no test of a file, or of a folder, is a unit test: it need not be collected."""
    return path.startswith(tuple(name for name in SLOW if "::" not in name))


def markers_of(item: pytest.Function) -> Iterator[str]:
    """Return the markers of a test: one or more."""
    uses_sound_server = not SOUND_SERVER_FIXTURES.isdisjoint(item.fixturenames)
    is_unit = True
    for marker, is_so in (
        ("browser", any(name in vars(item.module) for name in BROWSERS)),
        ("audio", uses_sound_server or item.nodeid.startswith(SOUND_SERVER)),
        ("slow", item.nodeid.startswith(SLOW)),
    ):
        if is_so:
            is_unit = False
            yield marker
    if is_unit:
        yield "unit"
