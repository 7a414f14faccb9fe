# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the connection options, once for everything that has them."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that say which Cloud Monitor to talk to, as whom, and how patiently."""

    DOCUMENTATION = r"""
options:
  access_key_id:
    description:
      - The AccessKey id to sign with.
      - An AccessKey is taken from one source as a whole. That is these options when one of them is given,
        else the environment variables, else, when the Python package C(alibabacloud-credentials) is installed
        on the controller, its default chain (profile file, ECS RAM role, OIDC and others).
      - Environment variables, the first non-empty one is used. E(ALIBABA_CLOUD_ACCESS_KEY_ID), E(ALICLOUD_ACCESS_KEY),
        E(ALICLOUD_ACCESS_KEY_ID).
      - The id, the secret and the token come from one family of variables, C(ALIBABA_CLOUD_*) or C(ALICLOUD_*). An incomplete
        family is an error.
    type: str
    aliases: [alicloud_access_key]
  access_key_secret:
    description:
      - The secret of the AccessKey. It signs and is never sent, shown, logged or stored.
      - Environment variables, the first non-empty one is used. E(ALIBABA_CLOUD_ACCESS_KEY_SECRET),
        E(ALICLOUD_SECRET_KEY), E(ALICLOUD_SECRET_ACCESS_KEY).
    type: str
    aliases: [alicloud_secret_key]
  security_token:
    description:
      - The STS token that belongs to a temporary AccessKey. It is sent with every request.
      - VPC endpoints are plain HTTP, so with O(network=vpc) it can be read on the way.
      - Environment variables, the first non-empty one is used. E(ALIBABA_CLOUD_SECURITY_TOKEN),
        E(ALICLOUD_SECURITY_TOKEN).
    type: str
    aliases: [alicloud_security_token]
  region:
    description:
      - The region whose endpoint takes the events.
      - A region without a public endpoint of its own uses that of V(cn-hangzhou).
        An unknown region is an error that lists the known ones.
      - Environment variables, the first non-empty one is used. E(ALIBABA_CLOUD_REGION_ID),
        E(ALICLOUD_REGION), E(ALICLOUD_REGION_ID).
    type: str
    default: cn-hangzhou
    aliases: [alicloud_region]
  network:
    description:
      - Whether to use the region's endpoint on the internet (V(public), HTTPS) or inside a VPC (V(vpc), plain HTTP).
      - Environment variable E(CLOUDMONITOR_NETWORK).
    type: str
    choices: [public, vpc]
    default: public
  endpoint:
    description:
      - A full URL such as V(https://metrichub-cms-cn-hangzhou.aliyuncs.com). It wins over O(region) and O(network).
      - Environment variable E(CLOUDMONITOR_ENDPOINT).
    type: str
  source_ip:
    description:
      - The IP address that the events are reported as coming from (C(x-cms-ip)). The default is this host's own.
      - Environment variable E(CLOUDMONITOR_SOURCE_IP).
    type: str
  timeout:
    description:
      - Seconds for one try in total, from the name look-up to the last byte of the answer.
      - Environment variable E(CLOUDMONITOR_TIMEOUT).
    type: float
    default: 5
  retries:
    description:
      - How often to try again after the first try, when the trouble may pass (no connection, a time-out,
        an error of the service, throttling). The waits grow from half a second to eight.
      - Environment variable E(CLOUDMONITOR_RETRIES).
    type: int
    default: 3
  validate_certs:
    description:
      - Whether to check the certificate of an HTTPS endpoint. Leave it on outside of tests.
      - Environment variable E(CLOUDMONITOR_VALIDATE_CERTS).
    type: bool
    default: true
  ca_path:
    description:
      - A file or directory with the certificates of the authorities to trust.
      - Environment variable E(CLOUDMONITOR_CA_PATH).
    type: path
notes:
  - Proxies come from the usual variables E(http_proxy), E(https_proxy), E(all_proxy) and E(no_proxy). C(.netrc) is never used
    and redirects are never followed.
  - The task keyword C(environment) counts like the environment of the controller, and before it.
  - At least once. A retry after a time-out can report an event twice, because nobody can know whether the first try arrived.
  - An account may send 20 requests a second, over all hosts and runs together. A task keeps below that by itself.
requirements:
  - requests (for the Python that sends, which is that of the controller unless a task says otherwise)
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
