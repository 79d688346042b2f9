#include "io/path.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

srq_status srq_path_resolve(const char *folder, const char *path, char out[SRQ_PATH_MAX])
{
    char full[3 * SRQ_PATH_MAX], here[SRQ_PATH_MAX] = "";
    bool absolute = path[0] == '/' || folder[0] == '/';
    if (!absolute && !getcwd(here, sizeof here))
        return srq_fail(SRQ_ERROR_USAGE, "the current folder does not exist any more; change to another folder");
    int n = path[0] == '/' ? snprintf(full, sizeof full, "%s", path)
                           : snprintf(full, sizeof full, "%s/%s/%s", here, folder, path);
    size_t length = 0;
    if (n < 0 || n >= SRQ_PATH_MAX) return srq_fail(SRQ_ERROR_USAGE, "%s: the path is too long", path);
    for (char *part = strtok(full, "/"); part; part = strtok(NULL, "/")) {
        if (strcmp(part, ".") == 0) continue;
        if (strcmp(part, "..") == 0) {
            while (length > 0 && out[--length] != '/') continue;
            continue;
        }
        length += (size_t)snprintf(out + length, SRQ_PATH_MAX - length, "/%s", part);
    }
    if (length == 0) out[length++] = '/';
    out[length] = '\0';
    return SRQ_OK;
}

void srq_path_folder(const char *path, char out[SRQ_PATH_MAX])
{
    snprintf(out, SRQ_PATH_MAX, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash)
        slash[slash == out] = '\0';
    else
        snprintf(out, SRQ_PATH_MAX, ".");
}
