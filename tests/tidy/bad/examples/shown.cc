int first;
int second;
int last;
