// A small estate for tests: two regions, one target of each kind that plans act on.
#pragma once

#include <string>

namespace kedge {

inline const std::string estate_for_tests = R"(estate: small
regions:
  east: {}
  west: {}
tiers:
  critical: {rto: 1h, rpo: 5m}
  low: {rto: 24h, rpo: 24h}
people:
  anna: {full-name: Anna A, login: anna, roles: [approver]}
  bert: {full-name: Bert B, login: bert, roles: [commander]}
  carl: {full-name: Carl C}
services:
  shop: {tier: critical, stands-on: [db, app]}
targets:
  db:
    kind: database
    driver: host
    tier: critical
    armed: true
    database: shop
    sites:
      east:
        connection: host=a user=kedge
        replication: host=a user=repl
        data-directory: /data/east
        fence: {look: [/f, l], raise: [/f, r], lower: [/f, d]}
      west:
        connection: host=b user=kedge
        replication: host=b user=repl
        data-directory: /data/west
        fence: {look: [/f, l], raise: [/f, r], lower: [/f, d]}
  cache:
    kind: cache
    driver: sentinel
    master-name: m
    quorum: 1
    sentinels: [{address: "a:26379", region: outside}]
    sites: {east: {address: "a:6379"}, west: {address: "b:6379"}}
  app:
    kind: application
    driver: process
    stands-on: [db]
    public-url: http://shop
    probes: {login: {websocket: {path: /ws}}}
    sites:
      east: {instances: [{name: a, url: "http://a"}]}
      west: {instances: [{name: b, url: "http://b"}]}
  front:
    kind: traffic
    driver: haproxy
    armed: true
    socket: /run/haproxy.sock
    backend: api
    sites: {east: {servers: [a]}, west: {servers: [b]}}
  chat: {kind: channel, driver: file, path: /tmp/chat}
  figures: {kind: metrics, driver: prometheus, url: "http://p"}
  vault: {kind: store, driver: file, path: /vault}
)";

}  // namespace kedge
