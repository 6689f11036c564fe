; test error

graph g {
  %x = input : f32[1, 4, 8, 8]
  %w = weight : f32[6, 3, 3, 3]
  %y = conv2d %x, %w { stride = 1, padding = 1, dilation = 1, groups = 1 }
  return %y
}

; expect error
;   error: conv2d of f32[1, 4, 8, 8] in 1 groups has weight f32[6, 3, 3, 3]
;    --> errors/conv_channels.rg:6:8
;     |
;   6 |   %y = conv2d %x, %w { stride = 1, padding = 1, dilation = 1, groups = 1 }
;     |        ^^^^^^^--^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |      |   |
;     |        |      |   this is f32[6, 3, 3, 3]
;     |        |      this is f32[1, 4, 8, 8]
;     |        expected 4 input channels
