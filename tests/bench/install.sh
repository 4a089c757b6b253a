#!/bin/bash
# Installs what the rows against etcd need, beside what tests/harness/install.sh installs. As root; starts no service.
exec "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../harness/install.sh" etcd-server etcd-client
