"""The inside of an MP4 or QuickTime file (ISO/IEC 14496-12), read without FFmpeg."""
