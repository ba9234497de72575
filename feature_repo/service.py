"""The features of the ranker, for training and for serving. A view counts once it stands here."""

from feast import FeatureService

from feature_repo.definitions.data_set import OWNER
from feature_repo.item_views import item_attributes, item_companions, item_repeats, item_windows
from feature_repo.session_views import session_state
from feature_repo.user_views import user_history, user_windows

ranker_v1 = FeatureService(
    name="ranker_v1",
    features=[
        item_attributes,
        item_windows,
        item_companions,
        item_repeats,
        user_windows,
        user_history,
        session_state,
    ],
    description="All stored features of the ranker, for training and for serving.",
    owner=OWNER,
)
