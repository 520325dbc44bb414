/* Notes what a process has synced to the disk: "<inode> <bytes>", a line for each sync that was
 * done. Preloaded into Valkey; a loss of power is then a kill that also cuts its files back to this.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int noted(int fd, const char *name) {
  int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  struct stat before;
  int known = fstat(fd, &before); /* what is written while the sync runs may or may not be in it */
  int result = sync(fd);
  if (result == 0 && known == 0 && S_ISREG(before.st_mode)) {
    char line[64];
    int length = snprintf(line, sizeof line, "%lu %ld\n", before.st_ino, (long)before.st_size);
    int log = open(getenv("SYNCED_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log < 0 || write(log, line, length) != length) abort();
    close(log);
  }
  return result;
}

int fsync(int fd) { return noted(fd, "fsync"); }
int fdatasync(int fd) { return noted(fd, "fdatasync"); }
