# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL of the service: the regions of Cloud Monitor, and a user's own endpoint. Pure.

Source of both tables: the endpoint lists of "Report custom events" and "Report monitoring
data" in the Cloud Monitor documentation, and of Alibaba Cloud's own agent.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from .errors import ConfigurationError
from .names import nearest_name, shortened

RESOURCE = "/event/custom/upload"
DEFAULT_REGION = "cn-hangzhou"
NETWORKS = ("public", "vpc")

# All other regions use the Hangzhou endpoint, the documented public endpoint.
PUBLIC_REGIONS = ("cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1")

_VPC_ALIYUN_COM = (
    "cn-qingdao cn-beijing cn-zhangjiakou cn-huhehaote cn-wulanchabu cn-hangzhou cn-shanghai "
    "cn-shenzhen cn-heyuan cn-guangzhou cn-chengdu cn-hongkong ap-southeast-1 ap-southeast-2 "
    "ap-southeast-3 ap-southeast-5 ap-southeast-6 ap-northeast-1 us-west-1 us-east-1 "
    "eu-central-1 eu-west-1 me-east-1 cn-shanghai-finance-1 cn-shenzhen-finance-1 "
    "cn-north-2-gov-1"
).split()
_VPC_ALIYUNCS_COM = (
    "cn-nanjing ap-southeast-7 ap-northeast-2 ap-south-1 cn-beijing-finance-1"
).split()

VPC_DOMAINS = {
    **dict.fromkeys(_VPC_ALIYUN_COM, "aliyun.com"),
    **dict.fromkeys(_VPC_ALIYUNCS_COM, "aliyuncs.com"),
}
REGIONS = tuple(sorted(VPC_DOMAINS))
_EXAMPLE = "https://metrichub-cms-cn-hangzhou.aliyuncs.com"
_API_EXAMPLE = "https://metrics.cn-hangzhou.aliyuncs.com"


def endpoint_url(region: str, network: str, endpoint: str | None = None) -> str:
    """Return the base URL to send to: scheme, host and port, without a path.

    ``endpoint`` (a full URL) takes precedence over ``region`` and ``network`` (``public`` or
    ``vpc``). Raises ConfigurationError for an unknown region or network, or an invalid URL.
    """
    if endpoint:
        return _own_endpoint(endpoint)
    if region not in VPC_DOMAINS:
        raise _unknown_region(region, "endpoint")
    if network == "vpc":
        return f"http://metrichub-{region}.{VPC_DOMAINS[region]}"
    if network == "public":
        own = region if region in PUBLIC_REGIONS else DEFAULT_REGION
        return f"https://metrichub-cms-{own}.aliyuncs.com"
    raise ConfigurationError(f"must be public or vpc and is {network!r}", option="network")


def shown_endpoint(url: str) -> str:
    """Return an endpoint in a short form: the region of Cloud Monitor's own, else the URL.

    Regions without a public endpoint use the one of Hangzhou, so it is shown then.
    """
    host = urlsplit(url).hostname or ""
    for region in PUBLIC_REGIONS:
        if host == f"metrichub-cms-{region}.aliyuncs.com":
            return region
    for region, domain in VPC_DOMAINS.items():
        if host == f"metrichub-{region}.{domain}":
            return f"{region} (vpc)"
    return url


def api_url(region: str, network: str, endpoint: str | None = None) -> str:
    """Return the base URL of the OpenAPI 2019-01-01, as endpoint_url does for events.

    Source: the endpoints in Alibaba Cloud's SDK (alibabacloud-cms20190101 4.0.10).
    """
    if endpoint:
        return _own_endpoint(endpoint, "api_endpoint", "", _API_EXAMPLE)
    if region not in VPC_DOMAINS:
        raise _unknown_region(region, "api_endpoint")
    host = "metrics-vpc" if network == "vpc" else "metrics"
    return f"https://{host}.{region}.aliyuncs.com"


def _unknown_region(region: str, option: str) -> ConfigurationError:
    """Return the error of an unknown region; ``option`` is for regions that are not known here."""
    meant = nearest_name(region, REGIONS)
    problem = f"{shortened(repr(region), 40)} is not a known region"
    question = "" if meant is None else f"Did you mean {meant}? "
    elsewhere = f"For any other region, set {option}."
    return ConfigurationError(
        problem,
        option="region",
        advice=f"{question}Known regions: {', '.join(REGIONS)}. {elsewhere}",
        brief=f"region: {problem}. {question or elsewhere}".rstrip(),
    )


def _own_endpoint(
    endpoint: str, option: str = "endpoint", resource: str = RESOURCE, example: str = _EXAMPLE
) -> str:
    """Return the base URL in a user's URL, which may end with ``resource``."""
    problem = _url_problem(endpoint.strip(), resource)
    if problem is not None:
        # The URL itself is not shown, because it may contain a password.
        raise ConfigurationError(
            f"is not a usable URL: {problem}",
            option=option,
            advice=f"Write it like {example}.",
            brief=f"{option}: is not a usable URL: {problem}.",
        )
    parts = urlsplit(endpoint.strip())
    return f"{parts.scheme}://{parts.netloc}"


def _url_problem(text: str, resource: str) -> str | None:
    try:
        parts = urlsplit(text)
        _port = parts.port  # raises ValueError when it is not a port
    except ValueError as exc:
        return f"it cannot be read ({exc})"
    if parts.scheme not in ("http", "https") or (parts.hostname or ".")[0] in ".*":
        return "it must start with http:// or https:// and name a host"
    if any(character.isspace() for character in text):
        return "it contains a space"
    if "\\" in text:  # some take it for a slash, some for a part of the name
        return "it contains a backslash"
    if "@" in parts.netloc:
        return "it contains a user name or password, and requests are signed anyway"
    if parts.query or parts.fragment or parts.path.rstrip("/") not in ("", resource):
        return f"it must end after the host, because {resource or 'the rest'} is appended"
    return None
