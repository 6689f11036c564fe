; test eval
; test canonical
; test plan target=x86-64-v4
; test check

graph softmax {
  %x = input : f32[4, 19]
  %y = softmax %x { axis = -1 }
  return %y
}

; expect eval
;   380 flops
;   %y : f32[4, 19] = 0.04039 0.04871 0.10153 0.03001 0.02607 0.07785 … norm 0.51084

; expect canonical
;   graph softmax {
;     %x = input : f32[4, 19]
;     %1 = reduce %x { op = max, axis = -1 } : f32[4, 1]
;     %2 = view %1 { map = "[4, 19] of 4: i0" } : f32[4, 19]
;     %3 = const { value = -3.4028234663852886e38 } : f32[4, 19]
;     %4 = max %2, %3 : f32[4, 19]
;     %5 = sub %x, %4 : f32[4, 19]
;     %6 = exp %5 : f32[4, 19]
;     %7 = reduce %6 { op = sum, axis = -1 } : f32[4, 1]
;     %8 = view %7 { map = "[4, 19] of 4: i0" } : f32[4, 19]
;     %9 = const { value = 1.0 } : f32[4, 19]
;     %10 = max %8, %9 : f32[4, 19]
;     %y = div %6, %10 : f32[4, 19]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan softmax {
;     %y = row [4, 19] reading %x
;   }

; expect check
;   %y within 1e-5 of the reference
