/* fetch.c - downloading datasets, as single files or in an archive. A file is written under a
 * temporary name beside its place, checked, and only then given its name, so that whatever stops a
 * download no half file is ever taken for a whole one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/dataset.h"
#include "mho_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef MHO_HAVE_CURL
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#endif

#include "base/whole_file.h"
#include "data/idx.h"
#include "data/tar.h"

static bool is_archive(const char *url) {
  static const char end[] = ".tar.gz";
  size_t n = strlen(url);
  return n >= sizeof end && !strcmp(url + n - (sizeof end - 1), end);
}

/* A file is compared with its published checksum; without one a single file must at least be sound
 * IDX. */
static mho_err check(const mho_data_file *file, const char *path, const char *name,
                     const char *cure, mho_errinfo *ei) {
  if (!file->sha256 && !is_archive(file->url))
    return mho__idx_check(path, name, cure, ei);

  mho_data_reader r;
  mho_err err = mho__data_open(&r, path, name, cure, ei);
  if (err)
    return err;

  uint8_t buffer[1 << 14];
  size_t got;
  do
    err = mho__data_read(&r, buffer, sizeof buffer, &got, ei);
  while (!err && got == sizeof buffer);

  char sha256[MHO_DATA_HEX];
  mho__data_close(&r, sha256);
  return err ? err : mho__data_compare(file, sha256, name, cure, ei);
}

/* ---------------------------------------------------------------- a file being written */

typedef struct writing {
  char path[MHO_DATA_PATH];      /* of the finished file */
  char temporary[MHO_DATA_PATH]; /* while it is written */
  FILE *file;
} writing;

static mho_err writing_open(writing *p, const char *folder, const char *name, mho_errinfo *ei) {
  int n = snprintf(p->path, sizeof p->path, "%s/%s", folder, name);
  int more = snprintf(p->temporary, sizeof p->temporary, "%s/%s.XXXXXX", folder, name);
  if (n < 0 || more < 0 || (size_t)more >= sizeof p->temporary)
    return mho_fail(ei, MHO_EIO, "the name of the folder %s is too long", folder);

  int fd = mkstemp(p->temporary);
  if (fd < 0)
    return mho_fail(ei, mho__io_error(errno), "cannot write into %s: %s", folder, strerror(errno));

  fchmod(fd, 0644); /* mkstemp's 0600 would keep the data from others who share the folder */

  p->file = fdopen(fd, "wb");
  if (!p->file) {
    close(fd);
    unlink(p->temporary);
    return mho_fail(ei, MHO_ENOMEM, "no memory to write %s", p->path);
  }
  return MHO_OK;
}

/* Close the file, and give it its name if all went well so far (err) and its contents are right.
 *  @param file    what it is to be; NULL: anything
 *  @param origin  of the file, in messages, and cure, what they end with */
static mho_err writing_close(writing *p, mho_err err, const mho_data_file *file, const char *origin,
                             const char *cure, mho_errinfo *ei) {
  /* the first error of the three is the one that is reported */
  bool written = !fflush(p->file) && !fsync(fileno(p->file));
  int why = errno;
  if (fclose(p->file) && written) {
    written = false;
    why = errno;
  }

  if (!err && !written)
    err = mho_fail(ei, MHO_EIO, "cannot write %s: %s", p->path, strerror(why));
  if (!err && file)
    err = check(file, p->temporary, origin, cure, ei);
  if (!err && rename(p->temporary, p->path))
    err = mho_fail(ei, mho__io_error(errno), "cannot write %s: %s", p->path, strerror(errno));
  if (err)
    unlink(p->temporary);
  return err;
}

#ifdef MHO_HAVE_CURL
/* ---------------------------------------------------------------- one transfer */

enum { CONNECT_S = 30, STALL_S = 60, STALL_BYTES_PER_S = 10, REDIRECTS = 5 };

struct transfer {
  const mho_context *ctx;
  const char *url, *path;  /* path: of the finished file, for messages */
  const char *what, *note; /* for the display of progress */
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

/* libcurl is loaded when something is to be downloaded: with all that it needs itself it would take
 * more than half of the time in which the command starts. */
#define CALLS(X) X(init) X(setopt) X(perform) X(getinfo) X(strerror) X(cleanup)
typedef struct library {
#define X(name) __typeof__(curl_easy_##name) *name;
  CALLS(X)
#undef X
} library;

/* It stays loaded. */
static mho_err load_library(library *l, mho_errinfo *ei) {
  void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle)
    return mho_fail(ei, MHO_EUNSUPPORTED, "cannot load libcurl (%s): install libcurl4", dlerror());

  const char *missing = NULL;
#define X(name)                                                                                    \
  {                                                                                                \
    void *p = dlsym(handle, "curl_easy_" #name);                                                   \
    memcpy(&l->name, &p, sizeof p);                                                                \
    if (!p)                                                                                        \
      missing = #name;                                                                             \
  }
  CALLS(X)
#undef X
  dlclose(handle);

  if (!missing)
    return MHO_OK;
  return mho_fail(ei, MHO_EUNSUPPORTED, "libcurl has no curl_easy_%s: install another libcurl4",
                  missing);
}

static mho_err explain(const struct transfer *t, CURLcode rc, long status, const char *detail,
                       mho_errinfo *ei) {
  switch (rc) {
  case CURLE_OK:
    return MHO_OK;
  case CURLE_ABORTED_BY_CALLBACK:
    return mho_fail(ei, MHO_EINTERRUPTED,
                    "stopped while downloading %s; files that were whole are kept", t->what);
  case CURLE_WRITE_ERROR:
    return mho_fail(ei, MHO_EIO, "cannot write %s: %s", t->path, strerror(t->write_error));
  case CURLE_HTTP_RETURNED_ERROR:
    return mho_fail(ei, MHO_EIO,
                    "the server answers %ld for %s: try again later, or put the file by hand at %s",
                    status, t->url, t->path);
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_OPERATION_TIMEDOUT:
    return mho_fail(ei, MHO_EIO,
                    "no connection for %s (%s): check the network and https_proxy, "
                    "or put the file by hand at %s",
                    t->url, detail, t->path);
  case CURLE_UNSUPPORTED_PROTOCOL:
    return mho_fail(ei, MHO_EIO, "%s leads to an address that is not https, which is not followed",
                    t->url);
  default:
    return mho_fail(ei, MHO_EIO, "downloading %s failed: %s", t->url, detail);
  }
}

/* The address, and where a redirection may lead: to https only. */
static void set_address(const library *l, CURL *curl, const char *url) {
  l->setopt(curl, CURLOPT_URL, url);
#if LIBCURL_VERSION_NUM >= 0x075500
  l->setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
  l->setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
  l->setopt(curl, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
  l->setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
  l->setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  l->setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
}

/* Certificates of a network with its own authority come from the variables that the curl command
 * obeys. */
static void set_certificates(const library *l, CURL *curl) {
  const char *ca = getenv("CURL_CA_BUNDLE");
  if (!ca || !*ca)
    ca = getenv("SSL_CERT_FILE");
  if (ca && *ca)
    l->setopt(curl, CURLOPT_CAINFO, ca);
}

static void set_options(const library *l, CURL *curl, struct transfer *t, char *detail) {
  set_address(l, curl, t->url);
  set_certificates(l, curl);

  l->setopt(curl, CURLOPT_FAILONERROR, 1L);
  l->setopt(curl, CURLOPT_USERAGENT, "mho/" MHO_VERSION);
  l->setopt(curl, CURLOPT_NOSIGNAL, 1L); /* the caller's SIGALRM is left alone */
  l->setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
  l->setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
  l->setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);

  l->setopt(curl, CURLOPT_ERRORBUFFER, detail);
  l->setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
  l->setopt(curl, CURLOPT_WRITEDATA, t);
  l->setopt(curl, CURLOPT_NOPROGRESS, 0L);
  l->setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  l->setopt(curl, CURLOPT_XFERINFODATA, t);
}

static mho_err transfer(struct transfer *t, mho_errinfo *ei) {
  library l = {0};
  mho_err err = load_library(&l, ei);
  if (err)
    return err;
  CURL *curl = l.init();
  if (!curl)
    return mho_fail(ei, MHO_ENOMEM, "libcurl cannot start");

  char detail[CURL_ERROR_SIZE] = "";
  long status = 0;
  set_options(&l, curl, t, detail);

  CURLcode rc = l.perform(curl);
  l.getinfo(curl, CURLINFO_RESPONSE_CODE, &status);

  err = explain(t, rc, status, *detail ? detail : l.strerror(rc), ei);
  l.cleanup(curl);
  return err;
}

/* Make a folder and those above it. */
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
      return mho_fail(ei, mho__io_error(errno), "cannot make the folder %s: %s", path,
                      strerror(errno));
    *c = end;
    if (!end)
      return MHO_OK;
  }
}

/* Download the address of file i into folder/name; the members of an archive are checked when they
 * are unpacked. */
static mho_err download(const mho_context *ctx, const mho_dataset_kind *kind, int i,
                        const char *folder, const char *name, mho_errinfo *ei) {
  const mho_data_file *file = &kind->files[i];
  char note[64];
  if (strncmp(file->url, "https://", 8))
    return mho_fail(ei, MHO_EINVAL, "dataset %s: the address %s is not https", kind->entry.id,
                    file->url);

  writing p;
  mho_err err = make_folder(folder, ei);
  if (!err)
    err = writing_open(&p, folder, name, ei);
  if (err)
    return err;

  if (is_archive(file->url))
    snprintf(note, sizeof note, "archive of %d files", kind->n_files);
  else
    snprintf(note, sizeof note, "file %d of %d", i + 1, kind->n_files);

  struct transfer t = {
      .ctx = ctx, .url = file->url, .path = p.path, .what = name, .note = note, .file = p.file};
  err = transfer(&t, ei);
  return writing_close(&p, err, is_archive(file->url) ? NULL : file, file->url,
                       "nothing of it was kept, try again later", ei);
}
#else
static mho_err download(const mho_context *ctx, const mho_dataset_kind *kind, int i,
                        const char *folder, const char *name, mho_errinfo *ei) {
  return mho_fail(ei, MHO_EUNSUPPORTED,
                  "this mho was built without libcurl: put %s by hand into %s, or build it again",
                  kind->files[i].url, folder);
}
#endif

static mho_err fetch_file(const mho_context *ctx, const mho_dataset_kind *kind, int i,
                          const char *folder, mho_errinfo *ei) {
  char name[256];
  snprintf(name, sizeof name, "%s.gz", kind->files[i].name);
  mho_err err = download(ctx, kind, i, folder, name, ei);
  if (!err)
    mho_log(ctx, MHO_LOG_INFO, "fetched %s into %s", name, folder);
  return err;
}

/* ---------------------------------------------------------------- an archive */

static mho_err write_member(const mho_context *ctx, mho_data_reader *r, mho_tar *t,
                            const writing *p, mho_errinfo *ei) {
  uint8_t buffer[1 << 14];
  size_t got;
  while (t->left) {
    if (mho_stopped(ctx))
      return mho_fail(ei, MHO_EINTERRUPTED,
                      "stopped while unpacking %s; files that were whole are kept", t->name);

    mho_err err = mho__tar_read(r, t, buffer, sizeof buffer, &got, ei);
    if (err)
      return err;
    if (fwrite(buffer, 1, got, p->file) < got)
      return mho_fail(ei, mho__io_error(errno), "cannot write %s: %s", p->path, strerror(errno));
    mho_progress(ctx, t->name, (long)(t->size - t->left), (long)t->size, "unpacking");
  }
  return MHO_OK;
}

static mho_err unpack_member(const mho_context *ctx, mho_data_reader *r, mho_tar *t,
                             const mho_data_file *file, const char *folder, mho_errinfo *ei) {
  writing p;
  char origin[MHO_TEXT_MAX];
  mho_err err = writing_open(&p, folder, file->name, ei);
  if (err)
    return err;

  snprintf(origin, sizeof origin, "%s in %s", file->name, r->name);
  err = write_member(ctx, r, t, &p, ei);
  err = writing_close(&p, err, file, origin, r->cure, ei);
  if (err)
    return err;

  /* a packed file, which is not the published one, would be read instead */
  mho_text_append(p.path, sizeof p.path, ".gz");
  if (unlink(p.path) && errno != ENOENT)
    return mho_fail(ei, mho__io_error(errno),
                    "cannot remove %s, which is not the published file: %s", p.path,
                    strerror(errno));
  mho_log(ctx, MHO_LOG_INFO, "unpacked %s into %s", file->name, folder);
  return MHO_OK;
}

/* Unpack the missing files that are said to be in the archive at url. */
static mho_err unpack(const mho_context *ctx, const mho_dataset_kind *kind, const char *url,
                      mho_data_reader *r, const char *folder, bool *missing, mho_errinfo *ei) {
  mho_tar t = {0};
  for (;;) {
    mho_err err = mho__tar_next(r, &t, ei);
    if (err || t.end)
      return err;

    for (int i = 0; i < kind->n_files; i++) {
      const mho_data_file *file = &kind->files[i];
      if (!missing[i] || strcmp(file->url, url) || strcmp(file->name, t.name))
        continue;

      err = unpack_member(ctx, r, &t, file, folder, ei);
      if (err)
        return err;
      missing[i] = false;
    }
  }
}

/* Fetch all missing files that come in the same archive as file i, which is one of them. */
static mho_err fetch_archive(const mho_context *ctx, const mho_dataset_kind *kind, int i,
                             const char *folder, bool *missing, mho_errinfo *ei) {
  const char *url = kind->files[i].url, *slash = strrchr(url, '/');
  const char *name = slash ? slash + 1 : url;
  char path[MHO_DATA_PATH];
  int n = snprintf(path, sizeof path, "%s/%s", folder, name);
  if (n < 0 || (size_t)n >= sizeof path)
    return mho_fail(ei, MHO_EIO, "the name of the folder %s is too long", folder);

  const char *origin = path;
  const char *cure = "remove the archive to have it downloaded, or put a good copy in its place";
  bool here = !access(path, F_OK);
  mho_err err = MHO_OK;
  if (!here) {
    origin = url;
    cure = "try again later";
    err = download(ctx, kind, i, folder, name, ei);
  }
  if (err)
    return err;

  mho_data_reader r;
  err = mho__data_open(&r, path, origin, cure, ei);
  if (!err) {
    err = unpack(ctx, kind, url, &r, folder, missing, ei);
    mho__data_close(&r, NULL);
  }

  if (!err && missing[i])
    err = mho_fail(ei, MHO_EDATA, "%s does not hold %s; %s", origin, kind->files[i].name, cure);
  if (!here)
    unlink(path);
  return err;
}

/* ---------------------------------------------------------------- a dataset */

static bool is_right(const mho_context *ctx, const mho_data_file *file, const char *folder) {
  char path[MHO_DATA_PATH];
  mho_errinfo bad;
  if (!mho__data_find(folder, file->name, path, sizeof path))
    return false;

  if (check(file, path, path, "fetching it again", &bad)) {
    mho_log(ctx, MHO_LOG_WARNING, "%s", bad.message);
    return false;
  }

  mho_log(ctx, MHO_LOG_INFO, "%s is there and right", path);
  return true;
}

static mho_err fetch_missing(const mho_context *ctx, const mho_dataset_kind *kind,
                             const char *folder, bool *missing, mho_errinfo *ei) {
  for (int i = 0; i < kind->n_files; i++) {
    const mho_data_file *file = &kind->files[i];
    if (!missing[i])
      continue;

    if (mho_stopped(ctx))
      return mho_fail(ei, MHO_EINTERRUPTED, "stopped before %s; files that were whole are kept",
                      file->name);

    mho_err err = is_archive(file->url) ? fetch_archive(ctx, kind, i, folder, missing, ei)
                                        : fetch_file(ctx, kind, i, folder, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho_dataset_fetch(const mho_context *ctx, const mho_dataset_kind *kind, const char *folder,
                          mho_errinfo *ei) {
  char home[MHO_DATA_PATH];
  if (kind->takes_path)
    return mho_fail(ei, MHO_ENOTFOUND, "dataset %s is a file of your own, named by dataset.path",
                    kind->entry.id);
  if (!kind->n_files) {
    mho_log(ctx, MHO_LOG_INFO, "%s is part of mho, there is nothing to fetch", kind->entry.id);
    return MHO_OK;
  }

  for (int i = 0; i < kind->n_files; i++)
    if (!kind->files[i].url)
      return mho_fail(ei, MHO_ENOTFOUND,
                      "dataset %s has no address to fetch from: "
                      "set dataset.path to the folder of its files",
                      kind->entry.id);

  if (!folder || !*folder) {
    if (!mho__data_home(kind->entry.id, home, sizeof home))
      return mho_fail(ei, MHO_ENOTFOUND, "HOME is not set: say which folder %s shall be put into",
                      kind->entry.id);
    folder = home;
  }

  bool *missing = mho_alloc((size_t)kind->n_files, sizeof *missing);
  if (!missing)
    return mho_fail(ei, MHO_ENOMEM, "no memory to fetch %s", kind->entry.id);

  for (int i = 0; i < kind->n_files; i++)
    missing[i] = !is_right(ctx, &kind->files[i], folder);
  mho_err err = fetch_missing(ctx, kind, folder, missing, ei);
  mho_free(missing);
  return err;
}
