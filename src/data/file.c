/* file.c - finding, unpacking and checksumming the files of datasets.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/file.h"
#include "base/whole_file.h"
#include "mho/model/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  GZ_BUFFER = 1 << 17, /* zlib's own of 8 kB costs a system call too often */
  CHUNK = 1 << 18      /* small enough that its bytes are still in the cache for the checksum */
};

bool mho__data_home(const char *id, char *folder, size_t capacity) {
  const char *home = getenv("HOME");
  if (!home || !*home)
    return false;

  int n = snprintf(folder, capacity, "%s/.cache/mho/%s", home, id);
  return n > 0 && (size_t)n < capacity;
}

bool mho__data_find(const char *folder, const char *name, char *path, size_t capacity) {
  static const char *const ends[] = {".gz", ""};
  for (int i = 0; i < MHO_COUNT(ends); i++) {
    int n = snprintf(path, capacity, "%s/%s%s", folder, name, ends[i]);
    if (n > 0 && (size_t)n < capacity && !access(path, F_OK))
      return true;
  }
  return false;
}

mho_err mho__data_place(const char *path, const char *what, bool *is_folder, mho_errinfo *ei) {
  struct stat st;
  if (!*path)
    return mho_fail(ei, MHO_ECONFIG, "dataset.path: %s", what);
  if (stat(path, &st))
    return mho_fail(ei, MHO_ENOTFOUND, "dataset.path: there is no '%s'", path);
  if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.path: '%s' is neither a file nor a folder: write what it gives into a "
                    "file",
                    path);
  *is_folder = S_ISDIR(st.st_mode);
  return MHO_OK;
}

bool mho__data_part(const char *folder, const char *name, const char *ending,
                    char path[MHO_DATA_PATH]) {
  int n = snprintf(path, MHO_DATA_PATH, "%s/%s.%s", folder, name, ending);
  return n < MHO_DATA_PATH && access(path, F_OK) == 0;
}

void mho__data_cure(const mho_dataset_kind *kind, char *buf, size_t capacity) {
  static const char cure[] = "put a good copy in its place";
  if (kind->n_files && kind->files[0].url)
    snprintf(buf, capacity, "%s ('mho data fetch %s' downloads one)", cure, kind->entry.id);
  else
    snprintf(buf, capacity, "%s", cure);
}

mho_err mho__data_open(mho_data_reader *r, const char *path, const char *name, const char *cure,
                       mho_errinfo *ei) {
  *r = (mho_data_reader){.name = name, .cure = cure};
  errno = 0;
  r->gz = gzopen(path, "rbe");
  if (!r->gz && errno)
    return mho_fail(ei, mho__io_error(errno), "cannot open %s: %s", name, strerror(errno));
  if (!r->gz)
    return mho_fail(ei, MHO_ENOMEM, "no memory to open %s", name);

  gzbuffer(r->gz, GZ_BUFFER);
  SHA256Init(&r->sha);
  return MHO_OK;
}

static mho_err read_failed(const mho_data_reader *r, mho_errinfo *ei) {
  int code = Z_OK;
  const char *text = gzerror(r->gz, &code);

  if (code == Z_ERRNO)
    return mho_fail(ei, mho__io_error(errno), "cannot read %s: %s", r->name, strerror(errno));
  if (code == Z_MEM_ERROR)
    return mho_fail(ei, MHO_ENOMEM, "no memory to unpack %s", r->name);
  if (code == Z_BUF_ERROR)
    return mho_fail(ei, MHO_EDATA, "%s is cut short: its gzip stream breaks off; %s", r->name,
                    r->cure);
  return mho_fail(ei, MHO_EDATA, "%s is damaged and cannot be unpacked (%s); %s", r->name, text,
                  r->cure);
}

/* Tell the end of the data from that of a file that stops within its gzip stream. */
static mho_err check_end(const mho_data_reader *r, mho_errinfo *ei) {
  int code = Z_OK;
  gzerror(r->gz, &code);
  return code == Z_OK ? MHO_OK : read_failed(r, ei);
}

mho_err mho__data_read(mho_data_reader *r, void *out, size_t n, size_t *got, mho_errinfo *ei) {
  uint8_t *to = out;
  *got = 0;
  while (*got < n) {
    size_t want = mho_min_size(n - *got, CHUNK);
    int have = gzread(r->gz, to + *got, (unsigned)want);
    if (have < 0)
      return read_failed(r, ei);

    SHA256Update(&r->sha, to + *got, (size_t)have);
    *got += (size_t)have;
    if ((size_t)have < want)
      return check_end(r, ei);
  }
  return MHO_OK;
}

void mho__data_close(mho_data_reader *r, char sha256[MHO_DATA_HEX]) {
  if (r->gz)
    gzclose(r->gz);
  r->gz = NULL;
  if (sha256)
    SHA256End(&r->sha, sha256);
}

mho_err mho__data_compare(const mho_data_file *file, const char *sha256, const char *name,
                          const char *cure, mho_errinfo *ei) {
  if (!file->sha256 || !strcasecmp(file->sha256, sha256))
    return MHO_OK;

  return mho_fail(ei, MHO_EDATA,
                  "%s is not the published file: "
                  "its SHA-256, unpacked, is %.16s..., not %.16s...; %s",
                  name, sha256, file->sha256, cure);
}
