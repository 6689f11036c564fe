; test error

graph resized {
  %x = input : f32[1, 3, 4, 4]
  %w = weight : f32[2, 5, 3, 3]
  %y = resized_conv %x, %w { size = 8, mode = bilinear, stride = 1, padding = 1, dilation = 1 }
  return %y
}

; expect error
;   error: conv2d of f32[1, 3, 8, 8] in 1 groups has weight f32[2, 5, 3, 3]
;    --> errors/resized_channels.rg:6:8
;     |
;   6 |   %y = resized_conv %x, %w { size = 8, mode = bilinear, stride = 1, padding = 1, dilation = 1 }
;     |        ^^^^^^^^^^^^^--^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |            |   |
;     |        |            |   this is f32[2, 5, 3, 3]
;     |        |            this is f32[1, 3, 4, 4]
;     |        expected 3 input channels
