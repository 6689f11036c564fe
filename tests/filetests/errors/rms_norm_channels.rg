; test error

graph g {
  %x = input : f32[4, 8]
  %gamma = weight : f32[4]
  %y = rms_norm %x, %gamma { eps = 1e-6 }
  return %y
}

; expect error
;   error: gamma of rms_norm is f32[4]
;    --> errors/rms_norm_channels.rg:6:8
;     |
;   6 |   %y = rms_norm %x, %gamma { eps = 1e-6 }
;     |        ^^^^^^^^^--^^------^^^^^^^^^^^^^^^
;     |        |        |   |
;     |        |        |   this is f32[4]
;     |        |        this is f32[4, 8]
;     |        expected float[8]
