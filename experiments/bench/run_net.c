/* Runs an exported network, for deploy.sh and exported.sh: images from the standard input, PIXELS bytes each; their
 * logits, CLASSES floats each, to the standard output. */
#include <stdint.h>
#include <stdio.h>

void net_run(const uint8_t *pixels, float *logits);

int main(void)
{
    static uint8_t pixels[PIXELS];
    static float logits[CLASSES];
    while (fread(pixels, sizeof pixels, 1, stdin) == 1) {
        net_run(pixels, logits);
        fwrite(logits, sizeof logits, 1, stdout);
    }
    return 0;
}
