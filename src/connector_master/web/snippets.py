"""Ready code for people who send to a webhook: filled with its address, in four languages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from connector_master.services.connectors import Shown

SAMPLE: Mapping[str, str] = MappingProxyType(
    {
        "name": "Asha Rao",
        "phone": "+91 98765 43210",
        "email": "asha@example.com",
        "city": "Mumbai",
        "product": "LED panel light",
        "message": "Please call me about prices.",
    }
)
"""What a small form might send."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code in one language."""

    language: str
    code: str


def all_of(address: str, shown: Shown) -> Sequence[Snippet]:
    """Return code that sends the sample to `address`, signed where the connector asks for it (SPEC.md)."""
    body = json.dumps(dict(SAMPLE), ensure_ascii=False)
    signs = shown.row.settings.get("signature") == "required"
    return [
        Snippet("curl", _curl(address, body, signs)),
        Snippet("Python", _python(address, signs)),
        Snippet("JavaScript", _javascript(address, signs)),
        Snippet("PHP", _php(address, signs)),
    ]


def _curl(address: str, body: str, signs: bool) -> str:
    if not signs:
        return f"curl -X POST '{address}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    return (
        f"BODY='{body}'\n"
        'SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" -hex | sed "s/.* //")\n'
        f"curl -X POST '{address}' \\\n  -H 'Content-Type: application/json' \\\n"
        '  -H "X-Webhook-Signature: sha256=$SIGNATURE" \\\n  -d "$BODY"'
    )


def _python(address: str, signs: bool) -> str:
    lines = ["import json, urllib.request"]
    lines += ["import hashlib, hmac, os"] if signs else []
    lines += [
        "",
        f"lead = {json.dumps(dict(SAMPLE), ensure_ascii=False, indent=4)}",
        "body = json.dumps(lead).encode()",
    ]
    lines += ['headers = {"Content-Type": "application/json"}']
    if signs:
        lines += [
            'secret = os.environ["WEBHOOK_SECRET"].encode()',
            'headers["X-Webhook-Signature"] = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()',
        ]
    lines += [
        f'request = urllib.request.Request("{address}", body, headers)',
        "print(urllib.request.urlopen(request).read().decode())",
    ]
    return "\n".join(lines)


def _javascript(address: str, signs: bool) -> str:
    lines = ['import { createHmac } from "node:crypto";', ""] if signs else []
    lines += [f"const body = JSON.stringify({json.dumps(dict(SAMPLE), ensure_ascii=False, indent=2)});"]
    lines += ['const headers = { "Content-Type": "application/json" };']
    if signs:
        lines += [
            "const signature = createHmac('sha256', process.env.WEBHOOK_SECRET).update(body).digest('hex');",
            'headers["X-Webhook-Signature"] = `sha256=${signature}`;',
        ]
    lines += [
        f'const answer = await fetch("{address}", {{ method: "POST", headers, body }});',
        "console.log(await answer.json());",
    ]
    return "\n".join(lines)


def _php(address: str, signs: bool) -> str:
    pairs = "\n".join(f"    {json.dumps(k)} => {json.dumps(v, ensure_ascii=False)}," for k, v in SAMPLE.items())
    lines = ["<?php", f"$body = json_encode([\n{pairs}\n]);", "$headers = ['Content-Type: application/json'];"]
    if signs:
        lines += ["$headers[] = 'X-Webhook-Signature: sha256=' . hash_hmac('sha256', $body, getenv('WEBHOOK_SECRET'));"]
    lines += [
        f"$request = curl_init('{address}');",
        "curl_setopt_array($request, [CURLOPT_POSTFIELDS => $body, CURLOPT_HTTPHEADER => $headers]);",
        "curl_exec($request);",
    ]
    return "\n".join(lines)
