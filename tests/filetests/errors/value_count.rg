; test error

graph g {
  %s = input : f32[4, 8]
  %v = input : f32[7, 3]
  %y = attend %s, %v { axis = -1 }
  return %y
}

; expect error
;   error: attend has 8 keys and values f32[7, 3]
;    --> errors/value_count.rg:6:8
;     |
;   6 |   %y = attend %s, %v { axis = -1 }
;     |        ^^^^^^^--^^--^^^^^^^^^^^^^^
;     |        |      |   |
;     |        |      |   this is f32[7, 3]
;     |        |      this is f32[4, 8]
;     |        expected 8 values, found 7
