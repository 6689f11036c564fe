; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

graph block {
  %x = input : f32[1, 3, 6, 5]
  %"conv.weight" = weight : f32[8, 3, 3, 3]
  %"bn.weight" = weight : f32[8]
  %"bn.bias" = weight : f32[8]
  %"bn.running_mean" = weight : f32[8]
  %"bn.running_var" = weight : f32[8]
  %c = conv2d %x, %"conv.weight" { stride = 1, padding = 1, dilation = 1, groups = 1 }
  %n = batch_norm %c, %"bn.weight", %"bn.bias", %"bn.running_mean", %"bn.running_var" { eps = 2.0, axis = -3 }
  %r = gelu %n
  %"depthwise.weight" = weight : f32[8, 1, 3, 3]
  %d = conv2d %r, %"depthwise.weight" { stride = 1, padding = 1, dilation = 1, groups = 8 }
  %s = add %d, %r
  %"last.weight" = weight : f32[4, 8, 3, 3]
  %y = conv2d %s, %"last.weight" { stride = 2, padding = 1, dilation = 1, groups = 1 }
  return %y
}

; expect roundtrip
;   graph block {
;     %x = input : f32[1, 3, 6, 5]
;     %conv.weight = weight : f32[8, 3, 3, 3]
;     %bn.weight = weight : f32[8]
;     %bn.bias = weight : f32[8]
;     %bn.running_mean = weight : f32[8]
;     %bn.running_var = weight : f32[8]
;     %c = conv2d %x, %conv.weight { stride = [1, 1], padding = [1, 1], dilation = [1, 1], groups = 1 } : f32[1, 8, 6, 5]
;     %n = batch_norm %c, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var { eps = 2.0, axis = -3 } : f32[1, 8, 6, 5]
;     %r = gelu %n : f32[1, 8, 6, 5]
;     %depthwise.weight = weight : f32[8, 1, 3, 3]
;     %d = conv2d %r, %depthwise.weight { stride = [1, 1], padding = [1, 1], dilation = [1, 1], groups = 8 } : f32[1, 8, 6, 5]
;     %s = add %d, %r : f32[1, 8, 6, 5]
;     %last.weight = weight : f32[4, 8, 3, 3]
;     %y = conv2d %s, %last.weight { stride = [2, 2], padding = [1, 1], dilation = [1, 1], groups = 1 } : f32[1, 4, 3, 3]
;     return %y
;   }

; expect eval
;   24424 flops
;   %y : f32[1, 4, 3, 3] = 4.87285 8.83787 -1.66581 5.51643 10.19667 3.01084 … norm 37.63247

; expect optimize target=x86-64-v4
;   ; %y: 96 terms after 16 rounds, saturated; view-of-view ×3, factor-after-weights
;   graph block {
;     %x = input : f32[1, 3, 6, 5]
;     %conv.weight = weight : f32[8, 3, 3, 3]
;     %bn.weight = weight : f32[8]
;     %bn.bias = weight : f32[8]
;     %bn.running_mean = weight : f32[8]
;     %bn.running_var = weight : f32[8]
;     %6 = view %conv.weight { map = "[27, 8] of 216: 27*i1 + 9*i0%3 + i0/3" } : f32[27, 8]
;     %7 = const { value = 2.0 } : f32[8]
;     %8 = add %bn.running_var, %7 : f32[8]
;     %9 = rsqrt %8 : f32[8]
;     %10 = mul %bn.weight, %9 : f32[8]
;     %11 = mul %bn.running_mean, %10 : f32[8]
;     %12 = sub %bn.bias, %11 : f32[8]
;     %13 = view %12 { map = "[30, 8] of 8: i1" } : f32[30, 8]
;     %depthwise.weight = weight : f32[8, 1, 3, 3]
;     %15 = view %depthwise.weight { map = "[30, 9, 8] of 72: 9*i2 + i1" } : f32[30, 9, 8]
;     %last.weight = weight : f32[4, 8, 3, 3]
;     %17 = view %last.weight { map = "[72, 4] of 288: 72*i1 + 9*i0%8 + i0/8" } : f32[72, 4]
;     %18 = view %x { map = "[30, 27] of 90: (-1 + i0/5 + i1/9) in 6 * 5 + (-1 + i0%5 + i1/3%3) in 5 * 1 + 30*i1%3 else 0.0" } : f32[30, 27]
;     %19 = view %10 { map = "[27, 8] of 8: i1" } : f32[27, 8]
;     %20 = mul %6, %19 : f32[27, 8]
;     %21 = matmul %18, %20 : f32[30, 8]
;     %22 = add %21, %13 : f32[30, 8]
;     %23 = gelu %22 : f32[30, 8]
;     %24 = view %23 { map = "[30, 9, 8] of 240: (-1 + i0/5 + i1/3) in 6 * 40 + (-1 + i0%5 + i1%3) in 5 * 8 + i2 else 0.0" } : f32[30, 9, 8]
;     %25 = mul %24, %15 : f32[30, 9, 8]
;     %26 = reduce %25 { op = sum, axis = -2 } : f32[30, 1, 8]
;     %27 = view %23 { map = "[30, 1, 8] of 240: 8*i0 + i2" } : f32[30, 1, 8]
;     %28 = add %26, %27 : f32[30, 1, 8]
;     %29 = view %28 { map = "[9, 72] of 240: (-1 + 2*i0/3 + i1/24) in 6 * 40 + (-1 + 2*i0%3 + i1/8%3) in 5 * 8 + i1%8 else 0.0" } : f32[9, 72]
;     %30 = matmul %29, %17 : f32[9, 4]
;     %y = view %30 { map = "[1, 4, 3, 3] of 36: 12*i2 + 4*i3 + i1" } : f32[1, 4, 3, 3]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan block {
;     %23 = product [1, 30, 27] by [27, 8], constant %20 reading %x, %12
;     %28 = row [30, 8] reading %23, %depthwise.weight
;     %30 = product [1, 9, 72] by [72, 4], constant %17 reading %28
;     %y = row [1, 36] reading %30
;   }

; expect check
;   %y within 1e-5 of the reference
