#!/usr/bin/env bash
# Trains on two computers that are none: two network namespaces of this one, joined by a cable that is none either.
#
#     sudo scripts/two_nodes.sh PAINTING [OPTIONS OF impasto train …]
#
# Every node sees its own network alone, as in docs/many-devices.md. Needs root and iproute2.
set -euo pipefail

IMPASTO=${IMPASTO:-impasto}
other=
cleanup() {
  [ -z "$other" ] || kill "$other" 2>/dev/null || true
  for node in 0 1; do ip netns del "impasto$node" 2>/dev/null || true; done
}
trap cleanup EXIT
cleanup
for node in 0 1; do
  ip netns add "impasto$node"
  ip -n "impasto$node" link set lo up
done
ip link add cable0 netns impasto0 type veth peer name cable1 netns impasto1
for node in 0 1; do
  ip -n "impasto$node" addr add "10.213.7.$((node + 1))/24" dev "cable$node"
  ip -n "impasto$node" link set "cable$node" up
done

node() {
  local number=$1
  shift
  ip netns exec "impasto$number" env MASTER_ADDR=10.213.7.1 MASTER_PORT=29511 NODE_RANK="$number" \
    GLOO_SOCKET_IFNAME="cable$number" "$IMPASTO" train "$@" --nodes 2
}
node 1 "$@" &
other=$!
node 0 "$@"
wait "$other"
