/* In the sanitizer build only: libraries stay loaded, so that a leak inside a plugin of MPI is reported under the
 * plugin's name, which tests/lsan.supp knows, and not as one of an unknown module. */
extern int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
