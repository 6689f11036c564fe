; test roundtrip
; test eval
; test canonical
; test plan target=x86-64-v4
; test schedule target=x86-64-v4
; test check

// Different numbers of queries and keys, different channels of keys and values.
graph plain {
  %q = input : f32[2, 10, 8]
  %k = input : f32[2, 13, 8]
  %v = input : f32[2, 13, 6]
  %y = attention %q, %k, %v { scale = 0.353553 }
  return %y
}

; expect roundtrip
;   graph plain {
;     %q = input : f32[2, 10, 8]
;     %k = input : f32[2, 13, 8]
;     %v = input : f32[2, 13, 6]
;     %y = attention %q, %k, %v { scale = 0.353553 } : f32[2, 10, 6]
;     return %y
;   }

; expect eval
;   8840 flops
;   %y : f32[2, 10, 6] = -0.04403 0.02545 -0.19432 -0.01610 -0.22585 -0.07353 … norm 1.24988

; expect canonical
;   graph plain {
;     %q = input : f32[2, 10, 8]
;     %k = input : f32[2, 13, 8]
;     %v = input : f32[2, 13, 6]
;     %3 = scores %q, %k : f32[2, 10, 13]
;     %4 = const { value = 0.353553 } : f32[2, 10, 13]
;     %5 = mul %3, %4 : f32[2, 10, 13]
;     %y = attend %5, %v { axis = -1 } : f32[2, 10, 6]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan plain {
;     %y = attend [2, 10, 13] over 6 values reading %v, %q, %k
;   }

; expect schedule target=x86-64-v4
;   schedule plain for x86-64-v4 {
;     %y attend queries 5 mr 5 keys 1 values 1
;   }

; expect check
;   %y within 1e-5 of the reference
