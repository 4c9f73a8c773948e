"""The engine: HTTP, money and disk. It knows neither torch nor ComfyUI.

This is its face: nodes and page call what is named here, and nothing behind it. Importing it loads neither requests nor
SQLAlchemy; building an `Engine` does.
"""

from . import progress
from .catalogue.estimate import PriceEstimate
from .catalogue.facts import ModelFacts, facts_of
from .catalogue.limits import Limit, broken_limits, picture_limits
from .catalogue.offer import Offer, differences
from .catalogue.request import CatalogueRequest, with_earlier
from .catalogue.retrace import retrace
from .catalogue.shipped import shipped_catalogue
from .catalogue.translate import MediaUse, Translation, translate
from .catalogue.wishes import MODEL_DEFAULT, Wishes
from .clip_files import clip_kind
from .confirming import Confirm, nobody_to_ask, this_clip
from .copying import CopyDirection, copy_journal
from .credentials import (
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLES,
    Token,
    find_token,
    forget_token,
    remove_unfinished_saves,
    save_token,
    saved_token_files,
    saved_token_path,
)
from .engine import Engine, Surroundings
from .examination import check_archive, check_locks, check_model_api, look_at_account, look_at_journal
from .files import give_name, remove_stale
from .foreign_text import shown, shown_lines
from .generation import MAX_SEED, ClipRequest, GenerationRequest, Picture, RequestPicture
from .jobs import (
    REHEARSAL,
    Action,
    Elsewhere,
    Job,
    JobQuery,
    JobRef,
    JobState,
    Page,
    Purchase,
    Totals,
    parse_request_id,
)
from .journal_url import JOURNAL_URL_VARIABLE, resolve_journal_url
from .models import AUTO_SIZE, SORA_2_PRO, Input, ModelSpec, PictureInput, Role, Scalar, Size
from .picture_urls import check_image_url
from .pricing import PriceRange
from .progress import Run, Slots, StopSignal
from .prompts import check_prompt
from .sentences import Outcome, charge_sentence, defaults_note, describe_inputs, describe_outcome, with_job
from .settings import (
    SETTINGS,
    Setting,
    Settings,
    load_settings,
    parse_settings,
    read_settings_file,
    resolve_state_dir,
    shown_address,
    write_settings_file,
)

__all__ = [
    "AUTO_SIZE",
    "JOURNAL_URL_VARIABLE",
    "MAX_SEED",
    "MODEL_DEFAULT",
    "REHEARSAL",
    "SETTINGS",
    "SORA_2_PRO",
    "TOKEN_FILE_VARIABLE",
    "TOKEN_VARIABLES",
    "Action",
    "CatalogueRequest",
    "ClipRequest",
    "Confirm",
    "CopyDirection",
    "Elsewhere",
    "Engine",
    "GenerationRequest",
    "Input",
    "Job",
    "JobQuery",
    "JobRef",
    "JobState",
    "Limit",
    "MediaUse",
    "ModelFacts",
    "ModelSpec",
    "Offer",
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
    "Setting",
    "Settings",
    "Size",
    "Slots",
    "StopSignal",
    "Surroundings",
    "Token",
    "Totals",
    "Translation",
    "Wishes",
    "broken_limits",
    "charge_sentence",
    "check_archive",
    "check_image_url",
    "check_locks",
    "check_model_api",
    "check_prompt",
    "clip_kind",
    "copy_journal",
    "defaults_note",
    "describe_inputs",
    "describe_outcome",
    "differences",
    "facts_of",
    "find_token",
    "forget_token",
    "give_name",
    "load_settings",
    "look_at_account",
    "look_at_journal",
    "nobody_to_ask",
    "parse_request_id",
    "parse_settings",
    "picture_limits",
    "progress",
    "read_settings_file",
    "remove_stale",
    "remove_unfinished_saves",
    "resolve_journal_url",
    "resolve_state_dir",
    "retrace",
    "save_token",
    "saved_token_files",
    "saved_token_path",
    "shipped_catalogue",
    "shown",
    "shown_address",
    "shown_lines",
    "this_clip",
    "translate",
    "with_earlier",
    "with_job",
    "write_settings_file",
]
