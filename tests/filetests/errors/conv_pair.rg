; test error

graph g {
  %x = input : f32[1, 4, 8, 8]
  %w = weight : f32[6, 4, 3, 3]
  %y = conv2d %x, %w { stride = [1, 2, 3], padding = 1, dilation = 1, groups = 1 }
  return %y
}

; expect error
;   error: attribute `stride` is [1, 2, 3]
;    --> errors/conv_pair.rg:6:33
;     |
;   6 |   %y = conv2d %x, %w { stride = [1, 2, 3], padding = 1, dilation = 1, groups = 1 }
;     |                                 ^^^^^^^^^ expected one or two numbers of 0 or more
