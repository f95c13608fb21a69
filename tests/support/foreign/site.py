"""The foreign server's addresses: Google's paths, each answered by Django OAuth Toolkit's own views."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.views import AuthorizationView, RevokeTokenView, TokenView
from oauth2_provider.views.generic import ScopedProtectedResourceMetadataView

from tests.support.foreign import CLIENT_ID, CLIENT_SECRET, SCOPE

_CUSTOMER = {"customerClient": {"id": "1234567890", "descriptiveName": "Sample Traders", "status": "ENABLED"}}


def signed_in(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Django middleware: whoever comes with a browser is the one person, who has signed in at the provider long ago."""

    def answer(request: HttpRequest) -> Any:
        request.user = User.objects.get()
        return get_response(request)

    return answer


class AdsView(ScopedProtectedResourceMetadataView):
    """A corner of the Google Ads API: one account, which has no leads."""

    required_scopes = (SCOPE,)
    resource_metadata_url = "/none"

    def get(self, request: HttpRequest, version: str) -> HttpResponse:
        """Return the accounts that the token reaches."""
        return JsonResponse({"resourceNames": ["customers/1234567890"]})

    def post(self, request: HttpRequest, version: str, customer: str) -> HttpResponse:
        """Return the rows of a search."""
        asks_for_accounts = "FROM customer_client" in json.loads(request.body)["query"]
        return JsonResponse({"fieldMask": "id"} | ({"results": [_CUSTOMER]} if asks_for_accounts else {}))


@csrf_exempt
def revoke(request: HttpRequest) -> HttpResponse:
    """Revoke as Google does, which asks for no client's credentials; RFC 7009 does, so they are put in."""
    credentials = f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}"
    request.META["HTTP_AUTHORIZATION"] = f"Basic {b64encode(credentials.encode()).decode()}"
    answer: HttpResponse = RevokeTokenView.as_view()(request)
    return answer


urlpatterns = [
    path("o/oauth2/v2/auth", AuthorizationView.as_view()),
    path("token", TokenView.as_view()),
    path("revoke", revoke),
    path("<version>/customers:listAccessibleCustomers", AdsView.as_view()),
    path("<version>/customers/<customer>/googleAds:search", csrf_exempt(AdsView.as_view())),
]
