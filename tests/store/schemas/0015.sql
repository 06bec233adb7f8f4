BEGIN TRANSACTION;
CREATE TABLE acknowledgements (
  connection_id INTEGER NOT NULL,
  at BIGINT NOT NULL,
  until BIGINT,
  note TEXT NOT NULL,
  CONSTRAINT pk_acknowledgements PRIMARY KEY (connection_id),
  CONSTRAINT fk_acknowledgements_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "acknowledgements" VALUES(1,1795348800000000,1795348800000000,'acknowledgements note 1');
INSERT INTO "acknowledgements" VALUES(2,1795352400000000,1795352400000000,'acknowledgements note 2');
CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0015');
CREATE TABLE alert_connections (
  alert_id INTEGER NOT NULL,
  connection_id INTEGER NOT NULL,
  CONSTRAINT pk_alert_connections PRIMARY KEY (alert_id, connection_id),
  CONSTRAINT fk_alert_connections_alert_id_alerts FOREIGN KEY(alert_id) REFERENCES alerts (id) ON DELETE CASCADE,
  CONSTRAINT fk_alert_connections_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "alert_connections" VALUES(1,1);
INSERT INTO "alert_connections" VALUES(2,2);
CREATE TABLE alerts (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  kind VARCHAR(30) NOT NULL,
  severity VARCHAR(10) NOT NULL,
  facts JSON NOT NULL,
  born_at BIGINT NOT NULL
);
INSERT INTO "alerts" VALUES(1,'error','critical','{"reason": "authorization_revoked", "since": "2026-11-22T12:00:00+00:00"}',1795348800000000);
INSERT INTO "alerts" VALUES(2,'recovered','info','{"reason": "authorization_revoked", "since": "2026-11-22T12:00:00+00:00"}',1795352400000000);
CREATE TABLE api_tokens (
  name VARCHAR(100) NOT NULL,
  token_hash VARCHAR(64) NOT NULL,
  is_read_only BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT, role VARCHAR(10) DEFAULT 'admin' NOT NULL, groups JSON,
  CONSTRAINT pk_api_tokens PRIMARY KEY (name),
  CONSTRAINT uq_api_tokens_token_hash UNIQUE (token_hash)
);
INSERT INTO "api_tokens" VALUES('api_tokens name 1','api_tokens token_hash 1',0,1795348800000000,1795348800000000,'admin',NULL);
INSERT INTO "api_tokens" VALUES('api_tokens name 2','api_tokens token_hash 2',1,1795352400000000,1795352400000000,'operator','["acme"]');
CREATE TABLE applications (
  name VARCHAR(100) NOT NULL,
  is_configured BOOLEAN NOT NULL,
  secret_created_at BIGINT,
  secret_ends_at BIGINT,
  told_step INTEGER,
  next_step_at BIGINT,
  refused_reason VARCHAR(30),
  refused_detail TEXT,
  refused_at BIGINT,
  asker_id INTEGER,
  announced_reason VARCHAR(30),
  CONSTRAINT pk_applications PRIMARY KEY (name)
);
INSERT INTO "applications" VALUES('our-app',0,1795348800000000,1795348800000000,3,1795348800000000,NULL,'applications refused_detail 1',1795348800000000,1,'applications announced_reason 1');
INSERT INTO "applications" VALUES('their-app',1,1795352400000000,1795352400000000,4,1795352400000000,'client_rejected','applications refused_detail 2',1795352400000000,2,'applications announced_reason 2');
CREATE TABLE audit (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  at BIGINT NOT NULL,
  who VARCHAR(200) NOT NULL,
  action VARCHAR(10) NOT NULL,
  connection VARCHAR(100),
  group_name VARCHAR(100),
  keys JSON NOT NULL,
  count INTEGER NOT NULL
);
INSERT INTO "audit" VALUES(1,1795348800000000,'user:ana','put','audit connection 1','acme','["token"]',1);
INSERT INTO "audit" VALUES(2,1795352400000000,'file','delete',NULL,NULL,'[]',20);
CREATE TABLE authorizations (
  connection_id INTEGER NOT NULL,
  authorized_at BIGINT,
  ends_at BIGINT,
  source VARCHAR(10) NOT NULL,
  file_authorized_at BIGINT,
  told_step INTEGER,
  is_renewal_pending BOOLEAN NOT NULL,
  is_renewal_unrecorded BOOLEAN NOT NULL,
  next_step_at BIGINT,
  fingerprint VARCHAR(64),
  renewal_fingerprint VARCHAR(64),
  token_ends_at BIGINT,
  CONSTRAINT pk_authorizations PRIMARY KEY (connection_id),
  CONSTRAINT fk_authorizations_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "authorizations" VALUES(1,1795348800000000,1795348800000000,'declared',1795348800000000,3,0,0,1795348800000000,'authorizations fingerprint 1','authorizations renewal_fingerprint 1',1795348800000000);
INSERT INTO "authorizations" VALUES(2,1795352400000000,1795352400000000,'observed',1795352400000000,4,1,1,1795352400000000,'authorizations fingerprint 2','authorizations renewal_fingerprint 2',1795352400000000);
CREATE TABLE channel_states (
  name VARCHAR(100) NOT NULL,
  failed_since BIGINT,
  is_failure_told BOOLEAN DEFAULT 0 NOT NULL,
  digest_at BIGINT,
  CONSTRAINT pk_channel_states PRIMARY KEY (name)
);
INSERT INTO "channel_states" VALUES('ops-slack',3,0,1795348800000000);
INSERT INTO "channel_states" VALUES('ops-mail',4,1,1795352400000000);
CREATE TABLE channels (
  name VARCHAR(100) NOT NULL,
  content JSON NOT NULL,
  digest VARCHAR(64) NOT NULL,
  secrets BLOB,
  CONSTRAINT pk_channels PRIMARY KEY (name)
);
INSERT INTO "channels" VALUES('channels name 1','{"name": "channels name 1", "url": {"set": true}}','channels digest 1',X'6368616E6E656C732073656372657473');
INSERT INTO "channels" VALUES('channels name 2','{"name": "channels name 2", "url": {"set": true}}','channels digest 2',NULL);
CREATE TABLE check_days (
  starts_at BIGINT NOT NULL,
  connection_id INTEGER NOT NULL,
  n_success INTEGER NOT NULL,
  n_refusal INTEGER NOT NULL,
  n_inconclusive INTEGER NOT NULL,
  latency_us_sum BIGINT NOT NULL,
  latency_us_max BIGINT NOT NULL,
  n_latency INTEGER NOT NULL,
  CONSTRAINT pk_check_days PRIMARY KEY (starts_at, connection_id)
);
INSERT INTO "check_days" VALUES(1795262400000000,1,3,3,3,3,3,3);
INSERT INTO "check_days" VALUES(1795266000000000,2,4,4,4,4,4,4);
CREATE TABLE check_hours (
  starts_at BIGINT NOT NULL,
  connection_id INTEGER NOT NULL,
  n_success INTEGER NOT NULL,
  n_refusal INTEGER NOT NULL,
  n_inconclusive INTEGER NOT NULL,
  latency_us_sum BIGINT NOT NULL,
  latency_us_max BIGINT NOT NULL,
  n_latency INTEGER NOT NULL,
  CONSTRAINT pk_check_hours PRIMARY KEY (starts_at, connection_id)
);
INSERT INTO "check_hours" VALUES(1795262400000000,1,3,3,3,3,3,3);
INSERT INTO "check_hours" VALUES(1795266000000000,2,4,4,4,4,4,4);
CREATE TABLE checks (
  id INTEGER NOT NULL,
  connection_id INTEGER NOT NULL,
  at BIGINT NOT NULL,
  reason VARCHAR(30) NOT NULL,
  latency_us INTEGER,
  detail TEXT,
  CONSTRAINT pk_checks PRIMARY KEY (id)
);
INSERT INTO "checks" VALUES(1,1,1795348800000000,'ok',3,'checks detail 1');
INSERT INTO "checks" VALUES(2,2,1795352400000000,'authorization_revoked',4,'checks detail 2');
CREATE TABLE connections (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  name VARCHAR(100) NOT NULL,
  provider VARCHAR(50) NOT NULL,
  host VARCHAR(300) NOT NULL,
  is_configured BOOLEAN NOT NULL,
  is_enabled BOOLEAN NOT NULL,
  is_paused BOOLEAN NOT NULL,
  next_check_at BIGINT,
  state VARCHAR(10) NOT NULL,
  reason VARCHAR(30) NOT NULL,
  detail TEXT NOT NULL,
  since BIGINT NOT NULL,
  checked_at BIGINT,
  latency_ms FLOAT,
  last_reason VARCHAR(30),
  successes INTEGER NOT NULL,
  refusals INTEGER NOT NULL,
  refusals_of_any_reason INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  announced_state VARCHAR(10),
  announced_reason VARCHAR(30),
  account TEXT,
  application VARCHAR(100),
  token_host VARCHAR(300),
  failed_host VARCHAR(300),
  is_unexplained BOOLEAN DEFAULT 0 NOT NULL, group_name VARCHAR(100),
  CONSTRAINT uq_connections_name UNIQUE (name)
);
INSERT INTO "connections" VALUES(1,'soldscope-production','soldscope','api.example.com',1,1,0,1795348800000000,'active','ok','connections detail 1',1795348800000000,1795348800000000,41.5,'ok',3,3,3,3,'active','ok','connections account 1',NULL,NULL,NULL,0,'acme');
INSERT INTO "connections" VALUES(2,'acme-north-america','amazon','sellingpartnerapi-na.amazon.com',1,1,0,1795352400000000,'error','authorization_revoked','connections detail 2',1795352400000000,1795352400000000,42.5,'authorization_revoked',4,4,4,4,'error','authorization_revoked','connections account 2','our-app','api.amazon.com','api.amazon.com',1,NULL);
CREATE TABLE deletions (
  name VARCHAR(100) NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_deletions PRIMARY KEY (name)
);
INSERT INTO "deletions" VALUES('gone',1795348800000000);
INSERT INTO "deletions" VALUES('gone-too',1795352400000000);
CREATE TABLE entries (
  name VARCHAR(100) NOT NULL,
  owner VARCHAR(100) NOT NULL,
  rank INTEGER NOT NULL,
  position INTEGER NOT NULL,
  content JSON NOT NULL,
  digest VARCHAR(64) NOT NULL,
  secrets BLOB,
  CONSTRAINT pk_entries PRIMARY KEY (name, owner)
)
 WITHOUT ROWID

;
INSERT INTO "entries" VALUES('entries name 1','file',0,0,'{"name": "entries name 1", "provider": "soldscope", "token": {"set": true}}','entries digest 1',NULL);
INSERT INTO "entries" VALUES('entries name 2','dashboard',1,0,'{"name": "entries name 2", "provider": "countdown"}','entries digest 2',X'656E74726965732073656372657473');
CREATE TABLE flappings (
  connection_id INTEGER NOT NULL,
  since BIGINT NOT NULL,
  last_change_at BIGINT NOT NULL,
  CONSTRAINT pk_flappings PRIMARY KEY (connection_id),
  CONSTRAINT fk_flappings_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "flappings" VALUES(1,1795348800000000,1795348800000000);
INSERT INTO "flappings" VALUES(2,1795352400000000,1795352400000000);
CREATE TABLE handshakes (
  nonce_hash VARCHAR(64) NOT NULL,
  connection_id INTEGER,
  session_hash VARCHAR(64) NOT NULL,
  started_at BIGINT NOT NULL,
  CONSTRAINT pk_handshakes PRIMARY KEY (nonce_hash),
  CONSTRAINT fk_handshakes_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "handshakes" VALUES('handshakes nonce_hash 1',1,'handshakes session_hash 1',1795348800000000);
INSERT INTO "handshakes" VALUES('handshakes nonce_hash 2',NULL,'handshakes session_hash 2',1795352400000000);
CREATE TABLE inquiries (
  connection_id INTEGER NOT NULL,
  host VARCHAR(300) NOT NULL,
  asked_at BIGINT NOT NULL,
  CONSTRAINT pk_inquiries PRIMARY KEY (connection_id),
  CONSTRAINT fk_inquiries_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "inquiries" VALUES(1,'inquiries host 1',1795348800000000);
INSERT INTO "inquiries" VALUES(2,'inquiries host 2',1795352400000000);
CREATE TABLE invite_tries (
  id INTEGER NOT NULL,
  invite_id INTEGER NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_invite_tries PRIMARY KEY (id),
  CONSTRAINT fk_invite_tries_invite_id_invites FOREIGN KEY(invite_id) REFERENCES invites (id) ON DELETE CASCADE
);
INSERT INTO "invite_tries" VALUES(1,1,1795348800000000);
INSERT INTO "invite_tries" VALUES(2,2,1795352400000000);
CREATE TABLE invites (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  connection_id INTEGER,
  token_hash VARCHAR(64) NOT NULL,
  created_at BIGINT NOT NULL,
  valid_until BIGINT NOT NULL,
  "by" VARCHAR(200) NOT NULL,
  used_at BIGINT,
  revoked_at BIGINT,
  CONSTRAINT fk_invites_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE SET NULL,
  CONSTRAINT uq_invites_token_hash UNIQUE (token_hash)
);
INSERT INTO "invites" VALUES(1,1,'invites token_hash 1',1795348800000000,1795352400000000,'user:ana',1795348800000000,NULL);
INSERT INTO "invites" VALUES(2,2,'invites token_hash 2',1795348800000000,1795352400000000,'cli:root',NULL,1795348800000000);
CREATE TABLE keys (
  name VARCHAR(30) NOT NULL,
  value BLOB NOT NULL,
  CONSTRAINT pk_keys PRIMARY KEY (name)
);
INSERT INTO "keys" VALUES('fingerprint',X'000102030405060708090A0B0C0D0E0F');
INSERT INTO "keys" VALUES('csrf',X'000102030405060708090A0B0C0D0E0F');
CREATE TABLE missing_entries (
  owner VARCHAR(100) NOT NULL,
  name VARCHAR(100) NOT NULL,
  since BIGINT NOT NULL,
  CONSTRAINT pk_missing_entries PRIMARY KEY (owner, name)
)
  WITHOUT ROWID;
INSERT INTO "missing_entries" VALUES('stores','missing_entries name 1',1795348800000000);
INSERT INTO "missing_entries" VALUES('stores','missing_entries name 2',1795352400000000);
CREATE TABLE notifications (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  alert_id INTEGER NOT NULL,
  channel VARCHAR(100) NOT NULL,
  state VARCHAR(10) NOT NULL,
  attempts INTEGER NOT NULL,
  due_since BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  claimed_by VARCHAR(50),
  claimed_until BIGINT,
  sent_at BIGINT,
  error TEXT,
  held_by VARCHAR(20),
  held_until BIGINT,
  message_id INTEGER,
  CONSTRAINT fk_notifications_alert_id_alerts FOREIGN KEY(alert_id) REFERENCES alerts (id) ON DELETE CASCADE
);
INSERT INTO "notifications" VALUES(1,1,'ops-slack','due',3,1795348800000000,1795348800000000,'notifications claimed_by 1',1795348800000000,1795348800000000,'notifications error 1',NULL,1795348800000000,1);
INSERT INTO "notifications" VALUES(2,2,'ops-slack','sent',4,1795352400000000,1795352400000000,'notifications claimed_by 2',1795352400000000,1795352400000000,'notifications error 2','quiet_hours',1795352400000000,2);
CREATE TABLE offline_times (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  started_at BIGINT NOT NULL,
  ended_at BIGINT,
  n_missed INTEGER NOT NULL,
  alert_id INTEGER
);
INSERT INTO "offline_times" VALUES(1,1795348800000000,1795348800000000,3,1);
INSERT INTO "offline_times" VALUES(2,1795352400000000,1795352400000000,4,2);
CREATE TABLE outages (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  host VARCHAR(300) NOT NULL,
  started_at BIGINT NOT NULL,
  ended_at BIGINT,
  is_told BOOLEAN NOT NULL
);
INSERT INTO "outages" VALUES(1,'outages host 1',1795348800000000,1795348800000000,0);
INSERT INTO "outages" VALUES(2,'outages host 2',1795352400000000,1795352400000000,1);
CREATE TABLE participations (
  connection_id INTEGER NOT NULL,
  marketplaces JSON NOT NULL,
  CONSTRAINT pk_participations PRIMARY KEY (connection_id),
  CONSTRAINT fk_participations_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "participations" VALUES(1,'[{"country": "US", "id": "ATVPDKIKX0DER", "participating": true, "suspended_listings": false, "configured": true}]');
INSERT INTO "participations" VALUES(2,'[{"country": "US", "id": "ATVPDKIKX0DER", "participating": true, "suspended_listings": false, "configured": true}]');
CREATE TABLE people (
  name VARCHAR(100) NOT NULL,
  role VARCHAR(10) NOT NULL,
  groups JSON,
  password_hash TEXT,
  created_at BIGINT NOT NULL,
  CONSTRAINT pk_people PRIMARY KEY (name)
);
INSERT INTO "people" VALUES('people name 1','operator','["acme"]','people password_hash 1',1795348800000000);
INSERT INTO "people" VALUES('people name 2','admin',NULL,NULL,1795352400000000);
CREATE TABLE proposals (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  connection_id INTEGER NOT NULL,
  invite_id INTEGER,
  at BIGINT NOT NULL,
  sealed BLOB NOT NULL,
  account TEXT,
  authorized_at BIGINT,
  fingerprint VARCHAR(64) NOT NULL,
  CONSTRAINT fk_proposals_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "proposals" VALUES(1,1,1,1795348800000000,X'01','A1',1795348800000000,'proposals fingerprint 1');
INSERT INTO "proposals" VALUES(2,2,NULL,1795352400000000,X'02',NULL,NULL,'proposals fingerprint 2');
CREATE TABLE quota_forecasts (
  connection_id INTEGER NOT NULL,
  window VARCHAR(60) NOT NULL,
  sampled_at BIGINT NOT NULL,
  sampled_remaining BIGINT NOT NULL,
  sampled_limit BIGINT NOT NULL,
  sampled_resets_at BIGINT,
  foreseen_at BIGINT,
  foreseen_remaining BIGINT,
  is_foreseen BOOLEAN NOT NULL,
  exhausts_at BIGINT,
  earliest_at BIGINT,
  latest_at BIGINT,
  told_exhausts_at BIGINT,
  CONSTRAINT pk_quota_forecasts PRIMARY KEY (connection_id, window),
  CONSTRAINT fk_quota_forecasts_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "quota_forecasts" VALUES(1,'quota_forecasts window 1',1795348800000000,3,3,1795348800000000,1795348800000000,3,0,1795348800000000,1795348800000000,1795348800000000,1795348800000000);
INSERT INTO "quota_forecasts" VALUES(2,'quota_forecasts window 2',1795352400000000,4,4,1795352400000000,1795352400000000,4,1,1795352400000000,1795352400000000,1795352400000000,1795352400000000);
CREATE TABLE quota_samples (
  connection_id INTEGER NOT NULL,
  window VARCHAR(60) NOT NULL,
  at BIGINT NOT NULL,
  remaining BIGINT NOT NULL,
  "limit" BIGINT NOT NULL,
  resets_at BIGINT,
  CONSTRAINT pk_quota_samples PRIMARY KEY (connection_id, window, at),
  CONSTRAINT fk_quota_samples_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "quota_samples" VALUES(1,'quota_samples window 1',1795348800000000,3,3,1795348800000000);
INSERT INTO "quota_samples" VALUES(2,'quota_samples window 2',1795352400000000,4,4,1795352400000000);
CREATE TABLE quota_windows (
  connection_id INTEGER NOT NULL,
  windows JSON NOT NULL,
  seen_at BIGINT,
  CONSTRAINT pk_quota_windows PRIMARY KEY (connection_id),
  CONSTRAINT fk_quota_windows_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "quota_windows" VALUES(1,'{}',1795348800000000);
INSERT INTO "quota_windows" VALUES(2,'{}',1795352400000000);
CREATE TABLE quotas (
  connection_id INTEGER NOT NULL,
  account_key TEXT,
  shown_limit BIGINT,
  shown_remaining BIGINT,
  shown_resets_at BIGINT,
  known_limit BIGINT,
  known_remaining BIGINT,
  known_resets_at BIGINT,
  window_s BIGINT,
  seen_at BIGINT,
  longest_reset_s BIGINT,
  is_payment_required BOOLEAN NOT NULL,
  told_step INTEGER,
  told_limit BIGINT,
  window VARCHAR(60) DEFAULT '' NOT NULL,
  unit VARCHAR(20) DEFAULT 'requests' NOT NULL,
  has_others BOOLEAN DEFAULT 0 NOT NULL,
  CONSTRAINT pk_quotas PRIMARY KEY (connection_id),
  CONSTRAINT fk_quotas_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "quotas" VALUES(1,'quotas account_key 1',3,3,1795348800000000,3,3,1795348800000000,3,1795348800000000,3,0,3,3,'quotas window 1','requests',0);
INSERT INTO "quotas" VALUES(2,'quotas account_key 2',4,4,1795352400000000,4,4,1795352400000000,4,1795352400000000,4,1,4,4,'quotas window 2','requests',1);
CREATE TABLE reminders (
  alert_id INTEGER NOT NULL,
  due_at BIGINT NOT NULL,
  n_sent INTEGER NOT NULL,
  CONSTRAINT pk_reminders PRIMARY KEY (alert_id),
  CONSTRAINT fk_reminders_alert_id_alerts FOREIGN KEY(alert_id) REFERENCES alerts (id) ON DELETE CASCADE
);
INSERT INTO "reminders" VALUES(1,1795348800000000,3);
INSERT INTO "reminders" VALUES(2,1795352400000000,4);
CREATE TABLE silences (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  scope VARCHAR(10) NOT NULL,
  target VARCHAR(100),
  reason TEXT NOT NULL,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL
);
INSERT INTO "silences" VALUES(1,'all',NULL,'silences reason 1',1795262400000000,1795348800000000);
INSERT INTO "silences" VALUES(2,'tag','production','silences reason 2',1795266000000000,1795352400000000);
CREATE TABLE sources (
  name VARCHAR(100) NOT NULL,
  kind VARCHAR(10) NOT NULL,
  state VARCHAR(10) NOT NULL,
  read_at BIGINT,
  tried_at BIGINT,
  rows INTEGER NOT NULL,
  bad INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  error TEXT NOT NULL,
  failures INTEGER NOT NULL,
  since BIGINT,
  held VARCHAR(64) NOT NULL,
  shown VARCHAR(64) NOT NULL,
  accepted VARCHAR(64) NOT NULL,
  is_failure_reported BOOLEAN NOT NULL,
  is_hold_reported BOOLEAN NOT NULL,
  problems JSON NOT NULL,
  etag TEXT NOT NULL,
  settings_mark VARCHAR(64) NOT NULL,
  most_removed FLOAT NOT NULL,
  wanted_at BIGINT,
  CONSTRAINT pk_sources PRIMARY KEY (name)
);
INSERT INTO "sources" VALUES('sources name 1','file','held',1795348800000000,1795348800000000,100,1,1,'sources error 1',1,1795348800000000,'sources held 1','sources shown 1','',0,1,'["sources problem 1"]','sources etag 1','sources settings_mark 1',0.1,1795348800000000);
INSERT INTO "sources" VALUES('sources name 2','file','failed',1795352400000000,1795352400000000,200,2,2,'sources error 2',2,1795352400000000,'sources held 2','sources shown 2','',1,0,'["sources problem 2"]','sources etag 2','sources settings_mark 2',0.1,NULL);
CREATE TABLE stored_tokens (
  connection_id INTEGER NOT NULL,
  token BLOB NOT NULL,
  file_fingerprint VARCHAR(64),
  seller_id VARCHAR(100),
  obtained_at BIGINT NOT NULL,
  CONSTRAINT pk_stored_tokens PRIMARY KEY (connection_id),
  CONSTRAINT fk_stored_tokens_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "stored_tokens" VALUES(1,X'000102030405060708090A0B0C0D0E0F','stored_tokens file_fingerprint 1','1',1795348800000000);
INSERT INTO "stored_tokens" VALUES(2,X'000102030405060708090A0B0C0D0E0F','stored_tokens file_fingerprint 2','2',1795352400000000);
CREATE TABLE transitions (
  id INTEGER NOT NULL,
  connection_id INTEGER NOT NULL,
  at BIGINT NOT NULL,
  from_state VARCHAR(10) NOT NULL,
  to_state VARCHAR(10) NOT NULL,
  reason VARCHAR(30) NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_transitions PRIMARY KEY (id),
  CONSTRAINT fk_transitions_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id) ON DELETE CASCADE
);
INSERT INTO "transitions" VALUES(1,1,1795348800000000,'pending','active','ok','transitions detail 1');
INSERT INTO "transitions" VALUES(2,2,1795352400000000,'active','error','authorization_revoked','transitions detail 2');
CREATE TABLE watermarks (
  name VARCHAR(30) NOT NULL,
  at BIGINT NOT NULL,
  CONSTRAINT pk_watermarks PRIMARY KEY (name)
);
INSERT INTO "watermarks" VALUES('hours',1795348800000000);
INSERT INTO "watermarks" VALUES('days',1795352400000000);
CREATE TABLE web_sessions (
  session_hash VARCHAR(64) NOT NULL,
  password_mark VARCHAR(64) NOT NULL,
  created_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL, user VARCHAR(100) DEFAULT 'admin' NOT NULL,
  CONSTRAINT pk_web_sessions PRIMARY KEY (session_hash)
);
INSERT INTO "web_sessions" VALUES('web_sessions session_hash 1','web_sessions password_mark 1',1795348800000000,1795348800000000,'admin');
INSERT INTO "web_sessions" VALUES('web_sessions session_hash 2','web_sessions password_mark 2',1795352400000000,1795352400000000,'ana');
CREATE INDEX ix_connections_application ON connections (application);
CREATE INDEX ix_connections_failed_host ON connections (failed_host);
CREATE INDEX ix_connections_host ON connections (host, is_configured, is_enabled, is_paused);
CREATE INDEX ix_connections_next_check_at ON connections (next_check_at);
CREATE INDEX ix_connections_token_host ON connections (token_host, host, is_configured, is_enabled, is_paused);
CREATE INDEX ix_entries_owner ON entries (owner, name);
CREATE INDEX ix_check_hours_connection_id ON check_hours (connection_id, starts_at);
CREATE INDEX ix_check_days_connection_id ON check_days (connection_id, starts_at);
CREATE INDEX ix_transitions_connection_id ON transitions (connection_id);
CREATE INDEX ix_authorizations_next_step_at ON authorizations (next_step_at);
CREATE INDEX ix_applications_next_step_at ON applications (next_step_at);
CREATE INDEX ix_handshakes_connection_id ON handshakes (connection_id);
CREATE INDEX ix_quotas_account_key ON quotas (account_key);
CREATE INDEX ix_alert_connections_connection_id ON alert_connections (connection_id);
CREATE INDEX ix_notifications_alert_id ON notifications (alert_id);
CREATE INDEX ix_notifications_held_until ON notifications (held_until);
CREATE INDEX ix_notifications_sent_at ON notifications (channel, sent_at);
CREATE INDEX ix_notifications_state ON notifications (state, channel);
CREATE INDEX ix_reminders_due_at ON reminders (due_at);
CREATE INDEX ix_silences_ends_at ON silences (ends_at);
CREATE INDEX ix_outages_ended_at ON outages (ended_at);
CREATE INDEX ix_flappings_last_change_at ON flappings (last_change_at);
CREATE INDEX ix_offline_times_ended_at ON offline_times (ended_at);
CREATE INDEX ix_web_sessions_ends_at ON web_sessions (ends_at);
CREATE INDEX ix_connections_group_name ON connections (group_name);
CREATE INDEX ix_audit_at ON audit (at);
CREATE INDEX ix_audit_connection ON audit (connection, id);
CREATE INDEX ix_invites_connection_id ON invites (connection_id);
CREATE INDEX ix_invites_valid_until ON invites (valid_until);
CREATE INDEX ix_invite_tries_invite_id ON invite_tries (invite_id);
CREATE INDEX ix_proposals_connection_id ON proposals (connection_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('alerts',2);
INSERT INTO "sqlite_sequence" VALUES('connections',2);
INSERT INTO "sqlite_sequence" VALUES('notifications',2);
INSERT INTO "sqlite_sequence" VALUES('offline_times',2);
INSERT INTO "sqlite_sequence" VALUES('outages',2);
INSERT INTO "sqlite_sequence" VALUES('silences',2);
INSERT INTO "sqlite_sequence" VALUES('audit',2);
INSERT INTO "sqlite_sequence" VALUES('invites',2);
INSERT INTO "sqlite_sequence" VALUES('proposals',2);
COMMIT;
