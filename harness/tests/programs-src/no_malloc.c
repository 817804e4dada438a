// A library that people preload, and that has no malloc.
int fsync(int descriptor) { (void)descriptor; return 0; }
