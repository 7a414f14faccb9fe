# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the connection options, once for everything that has them."""

from __future__ import annotations


class ModuleDocFragment:
    """The options for the endpoint, the AccessKey and the limits of an attempt."""

    DOCUMENTATION = r"""
options:
  access_key_id:
    description:
      - The id of the AccessKey that signs the requests.
      - An AccessKey always comes from one source as a whole. The first source that has one is used. The sources are these options,
        variables of the environment, and, if the Python package C(alibabacloud-credentials) is installed on the controller, its
        default chain (profile file, ECS RAM role, OIDC and others).
      - Of the environment variables E(ALIBABA_CLOUD_ACCESS_KEY_ID), E(ALICLOUD_ACCESS_KEY), and E(ALICLOUD_ACCESS_KEY_ID), the
        first non-empty one is used.
      - The id, the secret and the token come from one family of variables, C(ALIBABA_CLOUD_*) or C(ALICLOUD_*). An incomplete
        family is an error.
    type: str
    aliases: [alicloud_access_key]
  access_key_secret:
    description:
      - The secret of the AccessKey. It signs requests and is never sent, shown, logged, or stored.
      - Of the environment variables E(ALIBABA_CLOUD_ACCESS_KEY_SECRET), E(ALICLOUD_SECRET_KEY), and
        E(ALICLOUD_SECRET_ACCESS_KEY), the first non-empty one is used.
    type: str
    aliases: [alicloud_secret_key]
  security_token:
    description:
      - The security token of temporary credentials (STS). It is sent with every request.
      - VPC endpoints use plain HTTP, so with O(network=vpc) it can be read in transit.
      - Of the environment variables E(ALIBABA_CLOUD_SECURITY_TOKEN) and E(ALICLOUD_SECURITY_TOKEN), the first non-empty one is
        used.
    type: str
    aliases: [alicloud_security_token]
  region:
    description:
      - The region whose endpoint receives the events.
      - A region without its own public endpoint uses the one of V(cn-hangzhou).
        An unknown region is an error that lists the known ones.
      - Of the environment variables E(ALIBABA_CLOUD_REGION_ID), E(ALICLOUD_REGION), and E(ALICLOUD_REGION_ID), the first
        non-empty one is used.
    type: str
    default: cn-hangzhou
    aliases: [alicloud_region]
  network:
    description:
      - The endpoint of the region to use, on the internet (V(public), HTTPS) or inside a VPC (V(vpc), plain HTTP).
      - Environment variable E(CLOUDMONITOR_NETWORK).
    type: str
    choices: [public, vpc]
    default: public
  endpoint:
    description:
      - A full URL such as V(https://metrichub-cms-cn-hangzhou.aliyuncs.com). It takes precedence over O(region) and O(network).
      - Environment variable E(CLOUDMONITOR_ENDPOINT).
    type: str
  api_endpoint:
    description:
      - A full URL such as V(https://metrics.cn-hangzhou.aliyuncs.com), the endpoint of Cloud Monitor's OpenAPI. The default
        follows from O(region) and O(network).
      - Only M(aliops.cloudmonitor.custom_event_info), M(aliops.cloudmonitor.custom_event_rule) and the playbooks
        C(aliops.cloudmonitor.alerts) and C(aliops.cloudmonitor.check) use it. Every module accepts it, so that you can set it in
        C(module_defaults) of the group.
      - Environment variable E(CLOUDMONITOR_API_ENDPOINT).
    type: str
  source_ip:
    description:
      - The IP address to report as the source of the events (C(x-cms-ip)). The default is the address of this host.
      - Environment variable E(CLOUDMONITOR_SOURCE_IP).
    type: str
  timeout:
    description:
      - The number of seconds for one attempt in total, from the name lookup to the last byte of the answer.
      - Environment variable E(CLOUDMONITOR_TIMEOUT).
    type: float
    default: 5
  retries:
    description:
      - The number of further attempts after the first one, if the cause can pass (no connection, a timeout, a server error,
        throttling). The waits grow from half a second to eight seconds.
      - Environment variable E(CLOUDMONITOR_RETRIES).
    type: int
    default: 3
  validate_certs:
    description:
      - Whether to verify the certificate of an HTTPS endpoint. Do not disable this outside of tests.
      - Environment variable E(CLOUDMONITOR_VALIDATE_CERTS).
    type: bool
    default: true
  ca_path:
    description:
      - A file or directory with the certificates of the trusted authorities.
      - Environment variable E(CLOUDMONITOR_CA_PATH).
    type: path
notes:
  - Proxies come from the usual variables E(http_proxy), E(https_proxy), E(all_proxy) and E(no_proxy). C(.netrc) is never used
    and redirects are never followed.
  - For a task, variables of the keyword C(environment) take precedence over the environment of the controller.
  - Events are delivered at least once. A retry after a timeout can duplicate an event, because it is unknown whether the first attempt arrived.
  - An account may send 20 requests with events per second, over all hosts and runs. Each task stays below this limit.
requirements:
  - requests (for the Python that sends the requests, by default that of the controller)
"""

    # The same options for a plugin: with environment, configuration file and variables. Ansible
    # takes the last environment variable of a list that is set, so the lists are turned round.
    # Secrets come from the environment only.
    PLUGIN = r"""
options:
  access_key_id:
    env:
      - name: ALICLOUD_ACCESS_KEY_ID
      - name: ALICLOUD_ACCESS_KEY
      - name: ALIBABA_CLOUD_ACCESS_KEY_ID
    ini:
      - section: callback_deployment_events
        key: access_key_id
  access_key_secret:
    env:
      - name: ALICLOUD_SECRET_ACCESS_KEY
      - name: ALICLOUD_SECRET_KEY
      - name: ALIBABA_CLOUD_ACCESS_KEY_SECRET
  security_token:
    env:
      - name: ALICLOUD_SECURITY_TOKEN
      - name: ALIBABA_CLOUD_SECURITY_TOKEN
  region:
    env:
      - name: ALICLOUD_REGION_ID
      - name: ALICLOUD_REGION
      - name: ALIBABA_CLOUD_REGION_ID
    ini:
      - section: callback_deployment_events
        key: region
    vars:
      - name: cloudmonitor_region
  network:
    env:
      - name: CLOUDMONITOR_NETWORK
    ini:
      - section: callback_deployment_events
        key: network
    vars:
      - name: cloudmonitor_network
  endpoint:
    env:
      - name: CLOUDMONITOR_ENDPOINT
    ini:
      - section: callback_deployment_events
        key: endpoint
    vars:
      - name: cloudmonitor_endpoint
  api_endpoint:
    env:
      - name: CLOUDMONITOR_API_ENDPOINT
    ini:
      - section: callback_deployment_events
        key: api_endpoint
    vars:
      - name: cloudmonitor_api_endpoint
  source_ip:
    env:
      - name: CLOUDMONITOR_SOURCE_IP
    ini:
      - section: callback_deployment_events
        key: source_ip
    vars:
      - name: cloudmonitor_source_ip
  timeout:
    env:
      - name: CLOUDMONITOR_TIMEOUT
    ini:
      - section: callback_deployment_events
        key: timeout
    vars:
      - name: cloudmonitor_timeout
  retries:
    env:
      - name: CLOUDMONITOR_RETRIES
    ini:
      - section: callback_deployment_events
        key: retries
    vars:
      - name: cloudmonitor_retries
  validate_certs:
    env:
      - name: CLOUDMONITOR_VALIDATE_CERTS
    ini:
      - section: callback_deployment_events
        key: validate_certs
    vars:
      - name: cloudmonitor_validate_certs
  ca_path:
    env:
      - name: CLOUDMONITOR_CA_PATH
    ini:
      - section: callback_deployment_events
        key: ca_path
    vars:
      - name: cloudmonitor_ca_path
"""
