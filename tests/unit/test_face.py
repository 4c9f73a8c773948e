"""The face of the engine: what nodes and page may use. A name more or less here is a decision."""

import inspect

from sora2pro.nodes import runcomfy

NAMES = [
    "AUTO_SIZE",
    "JOURNAL_URL_VARIABLE",
    "MAX_SEED",
    "REHEARSAL",
    "SORA_2_PRO",
    "TOKEN_FILE_VARIABLE",
    "TOKEN_VARIABLES",
    "SETTINGS",
    "Setting",
    "Action",
    "Elsewhere",
    "Engine",
    "GenerationRequest",
    "Input",
    "Job",
    "JobQuery",
    "JobRef",
    "JobState",
    "ModelFacts",
    "ModelSpec",
    "Outcome",
    "Page",
    "Picture",
    "PictureInput",
    "PriceEstimate",
    "PriceRange",
    "Purchase",
    "RequestPicture",
    "Role",
    "Run",
    "Scalar",
    "Settings",
    "Size",
    "Slots",
    "StopSignal",
    "Surroundings",
    "Token",
    "Totals",
    "charge_sentence",
    "check_archive",
    "check_locks",
    "check_model_api",
    "look_at_account",
    "look_at_journal",
    "check_image_url",
    "check_prompt",
    "parse_settings",
    "clip_kind",
    "describe_inputs",
    "describe_outcome",
    "facts_of",
    "find_token",
    "forget_token",
    "give_name",
    "load_settings",
    "parse_request_id",
    "progress",
    "read_settings_file",
    "remove_stale",
    "remove_unfinished_saves",
    "resolve_state_dir",
    "retrace",
    "save_token",
    "saved_token_files",
    "saved_token_path",
    "shown",
    "shown_address",
    "shown_lines",
    "with_earlier",
    "with_job",
    "CatalogueRequest",
    "ClipRequest",
    "CopyDirection",
    "copy_journal",
    "defaults_note",
    "resolve_journal_url",
    "Confirm",
    "nobody_to_ask",
    "this_clip",
    "Limit",
    "Offer",
    "differences",
    "MODEL_DEFAULT",
    "MediaUse",
    "Translation",
    "Wishes",
    "broken_limits",
    "picture_limits",
    "shipped_catalogue",
    "translate",
    "write_settings_file",
]


def test_the_engine_shows_these_names_and_no_others():
    assert sorted(runcomfy.__all__) == sorted(NAMES)
    assert all(hasattr(runcomfy, name) for name in NAMES)


def test_the_engine_itself_only_delegates():
    lines = inspect.getsource(runcomfy.Engine).splitlines()
    assert len(lines) < 150


def test_no_service_shows_a_token(tmp_path):
    settings = runcomfy.Settings(state_dir=tmp_path, output_dir=tmp_path)
    token = runcomfy.Token("very-secret-token", "the test")
    engine = runcomfy.Engine(settings, token=lambda: token, verify=lambda _path: None)
    services = [engine, *vars(engine).values()]
    assert all("very-secret" not in repr(service) for service in services)
    assert all(
        type(service).__name__ in repr(service) for service in services if "runcomfy" in type(service).__module__
    )
