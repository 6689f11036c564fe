; test error

graph g {
  %q = input : f32[4, 8]
  %k = input : f32[4, 6]
  %v = input : f32[4, 8]
  %y = attention %q, %k, %v { scale = 1 }
  return %y
}

; expect error
;   error: attention has queries f32[4, 8] and keys f32[4, 6]
;    --> errors/key_channels.rg:7:8
;     |
;   7 |   %y = attention %q, %k, %v { scale = 1 }
;     |        ^^^^^^^^^^--^^--^^--^^^^^^^^^^^^^^
;     |        |         |   |   |
;     |        |         |   |   this is f32[4, 8]
;     |        |         |   this is f32[4, 6]
;     |        |         this is f32[4, 8]
;     |        expected 8 channels per key, found 6
