/* fetch.c - downloading datasets. A file is written under a temporary name beside its place, checked, and
 * only then given its name, so that whatever stops a download no half file is ever taken for a whole one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef MHO_HAVE_CURL
#include <curl/curl.h>
#endif

#include "data/idx.h"

/* The published checksum says all there is to say; without one the file must at least be what it claims. */
static mho_err check(const mho_data_file *file, const char *path, const char *name, const char *cure,
                     mho_errinfo *ei) {
  if (!file->sha256)
    return mho_idx_check(path, name, cure, ei);
  mho_data_reader r;
  mho_err err = mho_data_open(&r, path, name, cure, ei);
  if (err)
    return err;
  uint8_t buffer[1 << 14];
  size_t got;
  do
    err = mho_data_read(&r, buffer, sizeof buffer, &got, ei);
  while (!err && got == sizeof buffer);
  char sha256[MHO_DATA_HEX];
  mho_data_close(&r, sha256);
  return err ? err : mho_data_compare(file, sha256, name, cure, ei);
}

#ifdef MHO_HAVE_CURL
/* ---------------------------------------------------------------- one transfer */

enum { CONNECT_S = 30, STALL_S = 60, STALL_BYTES_PER_S = 10, REDIRECTS = 5 };

struct transfer {
  const mho_context *ctx;
  const char *url, *path; /* path: where it will lie, for messages */
  const char *what, *note;
  FILE *file;
  int write_error; /* errno */
};

static size_t on_data(char *data, size_t size, size_t n, void *user) {
  struct transfer *t = user;
  size_t written = fwrite(data, 1, size * n, t->file);
  if (written < size * n)
    t->write_error = errno;
  return written;
}

static int on_progress(void *user, curl_off_t total, curl_off_t done, curl_off_t up_total,
                       curl_off_t up_done) {
  struct transfer *t = user;
  mho_progress(t->ctx, t->what, (long)done, (long)total, t->note);
  return mho_stopped(t->ctx);
}

static mho_err explain(const struct transfer *t, CURLcode rc, long status, const char *detail,
                       mho_errinfo *ei) {
  if (!*detail)
    detail = curl_easy_strerror(rc);
  switch (rc) {
  case CURLE_OK:
    return MHO_OK;
  case CURLE_ABORTED_BY_CALLBACK:
    return mho_fail(ei, MHO_EINTERRUPTED, "stopped while downloading %s; files that were whole are kept",
                    t->what);
  case CURLE_WRITE_ERROR:
    return mho_fail(ei, MHO_EIO, "cannot write %s: %s", t->path, strerror(t->write_error));
  case CURLE_HTTP_RETURNED_ERROR:
    return mho_fail(ei, MHO_EIO,
                    "the server answers %ld for %s: try again later, or put the file by hand at %s", status,
                    t->url, t->path);
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_OPERATION_TIMEDOUT:
    return mho_fail(
        ei, MHO_EIO,
        "no connection for %s (%s): check the network and https_proxy, or put the file by hand at %s", t->url,
        detail, t->path);
  case CURLE_UNSUPPORTED_PROTOCOL:
    return mho_fail(ei, MHO_EIO, "%s leads to an address that is not https, which is not followed", t->url);
  default:
    return mho_fail(ei, MHO_EIO, "downloading %s failed: %s", t->url, detail);
  }
}

static void set_options(CURL *curl, struct transfer *t, char *detail) {
  curl_easy_setopt(curl, CURLOPT_URL, t->url);
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "mho/" MHO_VERSION);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* the library must not touch the caller's SIGALRM */
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
  /* certificates of a network with its own authority: the variables that the curl command obeys */
  const char *ca = getenv("CURL_CA_BUNDLE");
  if (!ca || !*ca)
    ca = getenv("SSL_CERT_FILE");
  if (ca && *ca)
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
}

static mho_err transfer(struct transfer *t, mho_errinfo *ei) {
  CURL *curl = curl_easy_init();
  if (!curl)
    return mho_fail(ei, MHO_ENOMEM, "libcurl cannot start");
  char detail[CURL_ERROR_SIZE] = "";
  long status = 0;
  set_options(curl, t, detail);
  CURLcode rc = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  mho_err err = explain(t, rc, status, detail, ei);
  curl_easy_cleanup(curl);
  return err;
}

/* ---------------------------------------------------------------- one file */

static mho_err make_folder(const char *folder, mho_errinfo *ei) {
  char path[MHO_DATA_PATH];
  int n = snprintf(path, sizeof path, "%s", folder);
  if (n < 0 || (size_t)n >= sizeof path)
    return mho_fail(ei, MHO_EIO, "the name of the folder %s is too long", folder);
  for (char *c = path + 1;; c++) {
    char end = *c;
    if (end && end != '/')
      continue;
    *c = 0;
    if (mkdir(path, 0777) && errno != EEXIST)
      return mho_fail(ei, MHO_EIO, "cannot make the folder %s: %s", path, strerror(errno));
    *c = end;
    if (!end)
      return MHO_OK;
  }
}

static mho_err download(struct transfer *t, const mho_data_file *file, const char *folder, mho_errinfo *ei) {
  char temporary[MHO_DATA_PATH];
  int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", t->path);
  if (n < 0 || (size_t)n >= sizeof temporary)
    return mho_fail(ei, MHO_EIO, "the name of the folder %s is too long", folder);
  int fd = mkstemp(temporary);
  if (fd < 0)
    return mho_fail(ei, MHO_EIO, "cannot write into %s: %s", folder, strerror(errno));
  fchmod(fd, 0644); /* mkstemp's 0600 would keep the data from others who share the folder */
  t->file = fdopen(fd, "wb");
  if (!t->file) {
    close(fd);
    unlink(temporary);
    return mho_fail(ei, MHO_ENOMEM, "no memory to write %s", t->path);
  }
  mho_err err = transfer(t, ei);
  bool written = !fflush(t->file) && !fsync(fd);
  int why = errno;
  if (fclose(t->file) && written) {
    written = false;
    why = errno;
  }
  if (!err && !written)
    err = mho_fail(ei, MHO_EIO, "cannot write %s: %s", t->path, strerror(why));
  if (!err)
    err = check(file, temporary, t->url, "nothing of it was kept, try again later", ei);
  if (!err && rename(temporary, t->path))
    err = mho_fail(ei, MHO_EIO, "cannot write %s: %s", t->path, strerror(errno));
  if (err)
    unlink(temporary);
  return err;
}

static mho_err fetch_file(const mho_context *ctx, const mho_dataset_kind *kind, int i, const char *folder,
                          mho_errinfo *ei) {
  const mho_data_file *file = &kind->files[i];
  char path[MHO_DATA_PATH], what[128], note[64];
  if (strncmp(file->url, "https://", 8))
    return mho_fail(ei, MHO_EINVAL, "dataset %s: the address %s is not https", kind->entry.id, file->url);
  mho_err err = make_folder(folder, ei);
  if (err)
    return err;
  int n = snprintf(path, sizeof path, "%s/%s.gz", folder, file->name);
  if (n < 0 || (size_t)n >= sizeof path)
    return mho_fail(ei, MHO_EIO, "the name of the folder %s is too long", folder);
  snprintf(what, sizeof what, "%s.gz", file->name);
  snprintf(note, sizeof note, "file %d of %d", i + 1, kind->n_files);
  struct transfer t = {.ctx = ctx, .url = file->url, .path = path, .what = what, .note = note};
  return download(&t, file, folder, ei);
}
#else
static mho_err fetch_file(const mho_context *ctx, const mho_dataset_kind *kind, int i, const char *folder,
                          mho_errinfo *ei) {
  return mho_fail(ei, MHO_EUNSUPPORTED,
                  "this mho was built without libcurl: put %s by hand into %s, or build it again",
                  kind->files[i].url, folder);
}
#endif

/* ---------------------------------------------------------------- a dataset */

mho_err mho_dataset_fetch(const mho_context *ctx, const mho_dataset_kind *kind, const char *folder,
                          mho_errinfo *ei) {
  char home[MHO_DATA_PATH], path[MHO_DATA_PATH];
  if (!kind->n_files) {
    mho_log(ctx, MHO_LOG_INFO, "%s is part of mho, there is nothing to fetch", kind->entry.id);
    return MHO_OK;
  }
  for (int i = 0; i < kind->n_files; i++)
    if (!kind->files[i].url)
      return mho_fail(ei, MHO_ENOTFOUND,
                      "dataset %s has no address to fetch from: set dataset.path to the folder of its files",
                      kind->entry.id);
  if (!folder || !*folder) {
    if (!mho_data_home(kind->entry.id, home, sizeof home))
      return mho_fail(ei, MHO_ENOTFOUND, "HOME is not set: say which folder %s shall be put into",
                      kind->entry.id);
    folder = home;
  }
  for (int i = 0; i < kind->n_files; i++) {
    const mho_data_file *file = &kind->files[i];
    if (mho_stopped(ctx))
      return mho_fail(ei, MHO_EINTERRUPTED, "stopped before %s.gz; files that were whole are kept",
                      file->name);
    if (mho_data_find(folder, file->name, path, sizeof path)) {
      mho_errinfo bad;
      if (!check(file, path, path, "fetching it again", &bad)) {
        mho_log(ctx, MHO_LOG_INFO, "%s is there and right", path);
        continue;
      }
      mho_log(ctx, MHO_LOG_WARNING, "%s", bad.message);
    }
    mho_err err = fetch_file(ctx, kind, i, folder, ei);
    if (err)
      return err;
    mho_log(ctx, MHO_LOG_INFO, "fetched %s.gz into %s", file->name, folder);
  }
  return MHO_OK;
}
