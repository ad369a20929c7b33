-- The lab's database: the six tables that the runbook names, its health_check, and the heartbeats.
-- A statement ends with a semicolon at the end of a line; none has one inside.

CREATE TABLE tenants (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    slug       text NOT NULL UNIQUE,
    tier       text NOT NULL CHECK (tier IN ('free', 'starter', 'professional', 'enterprise')),
    settings   jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id              text PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenants,
    email           text NOT NULL UNIQUE,
    password_hash   text NOT NULL,
    password_salt   text NOT NULL,
    name            text NOT NULL,
    role            text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    is_active       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_login_at   timestamptz
);
CREATE INDEX users_tenant ON users (tenant_id);

CREATE TABLE debates (
    id                text PRIMARY KEY,
    tenant_id         text NOT NULL REFERENCES tenants,
    creator_id        text REFERENCES users,
    task              text NOT NULL,
    status            text NOT NULL CHECK (status IN ('created', 'running', 'completed', 'error')),
    agents            jsonb NOT NULL DEFAULT '[]',
    rounds            integer NOT NULL CHECK (rounds BETWEEN 1 AND 20),
    result            jsonb,
    consensus_reached boolean,
    confidence        real CHECK (confidence BETWEEN 0 AND 1),
    created_at        timestamptz NOT NULL DEFAULT now(),
    completed_at      timestamptz
);
CREATE INDEX debates_tenant ON debates (tenant_id, created_at);
CREATE INDEX debates_created ON debates (created_at);

CREATE TABLE audit_logs (
    id            text PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    tenant_id     text REFERENCES tenants,
    user_id       text REFERENCES users,
    action        text NOT NULL,
    resource_type text NOT NULL,
    resource_id   text NOT NULL,
    metadata      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_logs_at ON audit_logs (at);
CREATE INDEX audit_logs_user ON audit_logs (user_id);

CREATE TABLE decision_receipts (
    receipt_id          text PRIMARY KEY,
    debate_id           text NOT NULL UNIQUE REFERENCES debates,
    previous_receipt_id text REFERENCES decision_receipts,
    verdict             text NOT NULL CHECK (verdict IN ('approved', 'rejected', 'undecided')),
    confidence          real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    risk_level          text NOT NULL CHECK (risk_level IN ('low', 'medium', 'high')),
    data_json           text NOT NULL,
    checksum            text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE knowledge_nodes (
    id           text PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenants,
    debate_id    text REFERENCES debates,
    node_type    text NOT NULL CHECK (node_type IN ('fact', 'claim', 'memory', 'evidence', 'consensus')),
    content      text NOT NULL,
    content_hash text NOT NULL,
    confidence   real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    tier         text NOT NULL CHECK (tier IN ('fast', 'medium', 'slow', 'glacial')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX knowledge_nodes_debate ON knowledge_nodes (debate_id);

CREATE TABLE health_check (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance  text UNIQUE,
    timestamp timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE lab_heartbeat (
    stream text NOT NULL,
    seq    bigint NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream, seq)
);

-- Which of the versions of migrations.cpp this is.
CREATE TABLE schema_version (version integer PRIMARY KEY);
INSERT INTO schema_version VALUES (1);

-- Made-up content, the same in every lab: who, when and what follow from the number alone.

INSERT INTO tenants (id, name, slug, tier, created_at)
SELECT format('ten_%s', n), format('Tenant %s', n), format('tenant-%s', n),
       (ARRAY['free', 'starter', 'professional', 'enterprise'])[1 + n % 4],
       timestamptz '2025-01-01 00:00:00+00' + n * interval '3 days'
FROM generate_series(1, 40) AS n;

INSERT INTO users (id, tenant_id, email, password_hash, password_salt, name, role, is_active, created_at)
SELECT format('usr_%s', n), format('ten_%s', 1 + n % 40), format('user%s@tenant-%s.example', n, 1 + n % 40),
       encode(sha256(convert_to(format('password of nobody %s', n), 'UTF8')), 'hex'), md5(format('salt %s', n)),
       format('User %s', n), (ARRAY['owner', 'admin', 'member', 'member', 'viewer'])[1 + n % 5], n % 97 <> 0,
       timestamptz '2025-02-01 00:00:00+00' + n * interval '5 hours'
FROM generate_series(1, 1000) AS n;

INSERT INTO debates (id, tenant_id, creator_id, task, status, agents, rounds, result, consensus_reached, confidence,
                     created_at, completed_at)
SELECT format('deb_%s', n), format('ten_%s', 1 + n % 40), format('usr_%s', 1 + n % 1000),
       format('Should we adopt proposal %s, and under which conditions?', n), 'completed',
       '["proposer", "critic", "judge"]', 1 + n % 5,
       jsonb_build_object('summary', repeat(md5(format('summary %s', n)) || ' ', 8), 'votes', n % 7),
       n % 3 <> 0, (n % 100) / 100.0,
       timestamptz '2025-06-01 00:00:00+00' + n * interval '90 minutes',
       timestamptz '2025-06-01 00:00:00+00' + n * interval '90 minutes' + interval '4 minutes'
FROM generate_series(1, 3000) AS n;

INSERT INTO audit_logs (id, at, tenant_id, user_id, action, resource_type, resource_id, metadata)
SELECT format('aud_%s', n), timestamptz '2025-06-01 00:00:00+00' + n * interval '33 minutes',
       format('ten_%s', 1 + n % 40), format('usr_%s', 1 + n % 1000),
       (ARRAY['debate.create', 'debate.read', 'user.login', 'receipt.read'])[1 + n % 4],
       'debate', format('deb_%s', 1 + n % 3000), jsonb_build_object('request', md5(format('request %s', n)))
FROM generate_series(1, 8000) AS n;

INSERT INTO decision_receipts (receipt_id, debate_id, previous_receipt_id, verdict, confidence, risk_level, data_json,
                               checksum, created_at)
SELECT format('rcp_%s', n), format('deb_%s', n), CASE WHEN n > 1 THEN format('rcp_%s', n - 1) END,
       (ARRAY['approved', 'rejected', 'undecided'])[1 + n % 3], (n % 100) / 100.0,
       (ARRAY['low', 'medium', 'high'])[1 + n % 3], data,
       encode(sha256(convert_to(data, 'UTF8')), 'hex'),
       timestamptz '2025-06-01 00:00:00+00' + n * interval '90 minutes' + interval '5 minutes'
FROM generate_series(1, 2000) AS n,
     LATERAL (SELECT format('{"debate":"deb_%s","seal":"%s"}', n, md5(format('seal %s', n))) AS data) AS made;

INSERT INTO knowledge_nodes (id, tenant_id, debate_id, node_type, content, content_hash, confidence, tier, created_at,
                             updated_at)
SELECT format('kn_%s', n), format('ten_%s', 1 + n % 40), CASE WHEN n % 4 <> 0 THEN format('deb_%s', 1 + n % 3000) END,
       (ARRAY['fact', 'claim', 'memory', 'evidence', 'consensus'])[1 + n % 5], content, md5(content),
       (n % 100) / 100.0, (ARRAY['fast', 'medium', 'slow', 'glacial'])[1 + n % 4],
       timestamptz '2025-06-01 00:00:00+00' + n * interval '50 minutes',
       timestamptz '2025-06-01 00:00:00+00' + n * interval '50 minutes'
FROM generate_series(1, 5000) AS n,
     LATERAL (SELECT format('What was found in matter %s: %s', n, md5(format('finding %s', n))) AS content) AS made;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO aragora;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO aragora;

ANALYZE;
