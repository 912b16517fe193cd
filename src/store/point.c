/* point.c - the grid point of a run: one hash for all runs that differ in nothing but seeds.
 *
 * Hashed are the config's values by their full keys, sorted, so that the order of keys and the
 * spacing of the JSON do not matter, and the checksum of the data. Left out are
 *  - seeds: a key named "seed", ending in "_seed", or anywhere below "seeds";
 *  - what cannot change a result: "path" and "threads" anywhere, all below "checkpoint" and
 *    "observe", the run's own name;
 *  - keys that earlier releases had not, where they say what was meant before.
 * A run that was programmed, not trained, is of another point whatever its config. A key too many
 * in the hash splits a group, which shows; one too few would mix different experiments.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <sha2.h>
#include <string.h>

static const char leaves[] =
    "SELECT fullkey || '=' || quote(atom) FROM json_tree(?1) "
    "WHERE type NOT IN ('object', 'array') "
    "AND coalesce(key, '') NOT IN ('seed', 'path', 'threads') "
    "AND coalesce(key, '') NOT LIKE '%\\_seed' ESCAPE '\\' "
    "AND fullkey NOT LIKE '%.seeds.%' AND fullkey NOT LIKE '%.seeds[%' "
    "AND fullkey NOT LIKE '$.checkpoint.%' AND fullkey NOT LIKE '$.observe.%' "
    "AND fullkey NOT IN ('$.name', '$.train.name') "
    "AND (fullkey, atom) NOT IN (VALUES ('$.dynamics.name', 'rate'), ('$.update.apply', 'auto'), "
    "('$.network.loss', 'cross_entropy')) "
    "ORDER BY fullkey";

static void add(SHA2_CTX *hash, const char *line) {
  SHA256Update(hash, (const uint8_t *)line, strlen(line));
  SHA256Update(hash, (const uint8_t *)"\n", 1);
}

mho_err mho__store_point_hash(mho_store *s, const char *config, const char *data_checksum,
                              const char *kind, char hash[65], mho_errinfo *ei) {
  sqlite3_stmt *st;
  SHA2_CTX context;
  int64_t object;

  mho_err err =
      mho__store_int(s, "SELECT CASE WHEN json_valid(?1) THEN json_type(?1) = 'object' ELSE 0 END",
                     config, 0, &object, ei);
  if (!err && !object)
    err = mho_fail(ei, MHO_EINVAL, "the run's config is not a JSON object: '%.60s'", config);
  if (!err)
    err = mho__store_prepare(s, leaves, "read the run's config", &st, ei);
  if (err)
    return err;

  SHA256Init(&context);
  add(&context, data_checksum);
  if (strcmp(kind, "trained"))
    add(&context, kind);

  sqlite3_bind_text(st, 1, config, -1, SQLITE_STATIC);
  int rc;
  while (mho__store_next(st, &rc))
    add(&context, (const char *)sqlite3_column_text(st, 0));
  if (rc != SQLITE_DONE)
    err = mho__store_fail(s, rc, "read the run's config", ei);

  sqlite3_finalize(st);
  SHA256End(&context, hash);
  return err;
}
